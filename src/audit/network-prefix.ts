/** The network that an address belongs to: what an event keeps of it, and by what failures are counted. */

const ipv4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** The /24 of an IPv4 address, the /48 of an IPv6 address (the smallest network that one customer gets), else `unknown`. */
export function networkPrefix(address: string | undefined): string {
  const [, ...octets] = ipv4.exec(address ?? "") ?? [];
  if (octets.length === 4) {
    return octets.every((octet) => Number(octet) <= 255)
      ? `${octets.slice(0, 3).map(Number).join(".")}.0/24`
      : "unknown";
  }
  if (address === undefined || !/^[0-9A-Fa-f:.]{2,45}$/.test(address) || !URL.canParse(`http://[${address}]`)) {
    return "unknown";
  }
  // The URL parser writes every IPv6 address in its one canonical form (RFC 5952), without dotted parts.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const words = [...front, ...Array<string>(8 - front.length - back.length).fill("0"), ...back];
  if (words.join(":").startsWith("0:0:0:0:0:ffff:")) {
    const [high = 0, low = 0] = words.slice(6).map((word) => Number.parseInt(word, 16));
    return `${high >> 8}.${high & 255}.${low >> 8}.0/24`;
  }
  return `${words.slice(0, 3).join(":")}::/48`;
}
