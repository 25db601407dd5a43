/** Bytes of a request and of its right answer, in both of which every call has an id of its own. */

/** In the bodies of request and answer, for the id of the call: seven digits. */
export const idMark = "1000000";

const idMember = Buffer.from(`"id":${idMark}`);
const idOffset = idMember.length - idMark.length;

/** A list says how long it stays fresh, which is less each time: any number is right there. */
const freshness = Buffer.from('"ttlMs":');

export interface Template {
  readonly bytes: Buffer;
  setId(id: number): void;
}

/** @throws when the text has no place for the id */
function template(bytes: Buffer, bodyAt: number): Template {
  const at = bytes.indexOf(idMember, bodyAt);
  if (at < 0) throw new Error("The message has no id.");
  return { bytes, setId: (id) => void bytes.write(String(id), at + idOffset, "latin1") };
}

export interface Sent {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A whole HTTP/1.1 request whose body may have no id, as a notification. */
export function postBytes({ port, path, headers, body }: Sent): { readonly bytes: Buffer; readonly bodyAt: number } {
  const fields = Object.entries({
    host: `localhost:${port}`,
    ...headers,
    "content-length": String(Buffer.byteLength(body)),
  });
  const head = `POST ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return { bytes: Buffer.from(head + body), bodyAt: Buffer.byteLength(head) };
}

export function requestTemplate(sent: Sent): Template {
  const { bytes, bodyAt } = postBytes(sent);
  return template(bytes, bodyAt);
}

export interface Expected {
  setId(id: number): void;
  matches(body: Buffer): boolean;
}

/** The right answer, compared byte for byte. One without an id is the same for every call. */
export function expectedAnswer(text: string): Expected {
  const { bytes, setId } = text.includes(`"id":${idMark}`)
    ? template(Buffer.from(text), 0)
    : { bytes: Buffer.from(text), setId: () => undefined };
  const at = bytes.lastIndexOf(freshness);
  if (at < 0) return { setId, matches: (body) => body.equals(bytes) };
  const head = bytes.subarray(0, at + freshness.length);
  const tail = bytes.subarray(head.length + digitsAt(bytes, head.length));
  return {
    setId,
    matches: (body) => {
      const end = head.length + digitsAt(body, head.length);
      return body.subarray(0, head.length).equals(head) && body.subarray(end).equals(tail);
    },
  };
}

function digitsAt(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39) at += 1;
  return at - from;
}
