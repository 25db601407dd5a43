/** The discovery document of an OpenID provider, or of any issuer that publishes its keys in the same way. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { fetchDocument, type DocumentFailure } from "./documents.ts";
import type { Inquirer } from "./inquirer.ts";

export interface Discovered {
  readonly jwks_uri: string;
  /** All of it. */
  readonly json: JsonObject;
}

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string().min(1).max(limits.upstreamUrl_chars) });

/**
 * @param issuer what the document must call itself, byte by byte
 * @see OpenID Connect Discovery 1.0 sections 4.1 and 4.3
 */
export async function discover(inquirer: Inquirer, issuer: string): Promise<Result<Discovered, DocumentFailure>> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const document = await fetchDocument(inquirer, { url, kind: "discovery" });
  if (!document.ok) return document;
  const parsed = discoverySchema.safeParse(document.value.json);
  if (!parsed.success) return err({ reason: "discovery_invalid", transient: false });
  if (parsed.data.issuer !== issuer) return err({ reason: "discovery_issuer", transient: false });
  return ok({ jwks_uri: parsed.data.jwks_uri, json: document.value.json });
}
