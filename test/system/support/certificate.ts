/** A certificate for this machine that signs itself, for tests of what must be https. Made anew for each process, and good for a day. */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  id: 0x06,
  text: 0x0c,
  time: 0x17,
  sequence: 0x30,
};
const sets = { set: 0x31, version: 0xa0, extensions: 0xa3, dnsName: 0x82, ipAddress: 0x87 };

/** @see ITU-T X.690 section 8.1: tag, length, content */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...contents: readonly Buffer[]): Buffer => der(tags.sequence, ...contents);
const objectId = (hex: string): Buffer => der(tags.id, Buffer.from(hex, "hex"));
const integer = (value: Buffer): Buffer => der(tags.integer, value);
const bits = (value: Buffer): Buffer => der(tags.bits, Buffer.from([0]), value);

const ids = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
};

const utcTime = (time: number): Buffer =>
  der(tags.time, Buffer.from(`${new Date(time).toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));

const day_ms = 24 * 60 * 60 * 1000;

/** For `localhost` and `127.0.0.1`. @see RFC 5280 section 4.1 */
export function makeCertificate(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(objectId(ids.ecdsaWithSha256));
  const commonName = sequence(objectId(ids.commonName), der(tags.text, Buffer.from("Gatehouse tests")));
  const name = sequence(der(sets.set, commonName));
  const altNames = sequence(
    der(sets.dnsName, Buffer.from("localhost")),
    der(sets.ipAddress, Buffer.from([127, 0, 0, 1])),
  );
  const isAuthority = sequence(der(tags.boolean, Buffer.from([0xff])));
  const extensions = sequence(
    sequence(objectId(ids.basicConstraints), der(tags.boolean, Buffer.from([0xff])), der(tags.octets, isAuthority)),
    sequence(objectId(ids.subjectAltName), der(tags.octets, altNames)),
  );
  const now = Date.now();
  const signed = sequence(
    der(sets.version, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    sequence(utcTime(now - day_ms), utcTime(now + day_ms)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(sets.extensions, extensions),
  );
  const certificate = sequence(signed, algorithm, bits(sign("sha256", signed, privateKey)));
  const lines = certificate.toString("base64").match(/.{1,64}/g) ?? [];
  return {
    certificate: ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n"),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}
