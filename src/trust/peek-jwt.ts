/** What a token says of itself, to find out who should have signed it. */
import type { JsonObject } from "../ports.ts";
import { readJwt } from "./jwt-form.ts";

export interface PeekedJwt {
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  /** Lower case, without `application/`. */
  readonly typ: string | undefined;
  /** Unverified, all of them: good for the choice of what the token is verified against, and for nothing else. */
  readonly unverified: JsonObject;
}

/** @returns undefined when it is no signed JWT in compact form. Nothing of the rest may be believed before it is verified. */
export function peekJwt(text: string): PeekedJwt | undefined {
  const read = readJwt(text);
  if (!read.ok) return undefined;
  const { claims, header } = read.value;
  const textOf = (name: string): string | undefined => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return typeof value === "string" ? value : undefined;
  };
  return { issuer: textOf("iss"), subject: textOf("sub"), typ: header.typ, unverified: claims };
}
