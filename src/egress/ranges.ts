/**
 * Which IP addresses are public. Works on hostnames as `new URL()` writes them: dotted decimal for IPv4 in whatever
 * spelling it came, compressed lower-case hexadecimal in brackets for IPv6.
 * @see RFC 6890 and the IANA special-purpose address registries
 */

/** Every block of the IPv4 registry, and multicast (RFC 5771). None of them is the address of a public server. */
const ipv4Special: readonly (readonly [base: number, bits: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
].map(([base, bits]) => [ipv4Number(String(base)), Number(bits)]);

/**
 * Global unicast is `2000::/3`. What lies outside is refused as a whole: unspecified, loopback, mapped and compatible
 * IPv4, NAT64, discard-only, unique local, link-local, site-local, multicast. Inside, these blocks are not servers either;
 * `2001::/23` holds Teredo and `2002::/16` is 6to4, which carry an IPv4 address that could be a private one.
 */
const ipv6Special: readonly (readonly [groups: readonly number[], bits: number])[] = [
  [[0x2001, 0x0000], 23],
  [[0x2001, 0x0db8], 32],
  [[0x2002], 16],
  [[0x2620, 0x004f, 0x8000], 48],
  [[0x3fff, 0x0000], 20],
];

function ipv4Number(dotted: string): number {
  return dotted.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

export function isIpv4(hostname: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(hostname);
}

export function isIpv6(hostname: string): boolean {
  return hostname.startsWith("[");
}

export function isPublicIpv4(hostname: string): boolean {
  const address = ipv4Number(hostname);
  return !ipv4Special.some(([base, bits]) => {
    const size = 2 ** (32 - bits);
    return address >= base && address < base + size;
  });
}

/** The eight 16-bit groups of an address in brackets. */
function ipv6Groups(hostname: string): number[] {
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const parse = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => parseInt(group, 16)));
  const left = parse(head);
  const right = tail === undefined ? [] : parse(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function startsWithBits(address: readonly number[], prefix: readonly number[], bits: number): boolean {
  return prefix.every((group, index) => {
    const compared = Math.min(16, Math.max(0, bits - index * 16));
    const mask = (0xffff << (16 - compared)) & 0xffff;
    return ((address[index] ?? 0) & mask) === (group & mask);
  });
}

export function isPublicIpv6(hostname: string): boolean {
  const address = ipv6Groups(hostname);
  return (
    startsWithBits(address, [0x2000], 3) && !ipv6Special.some(([prefix, bits]) => startsWithBits(address, prefix, bits))
  );
}
