/** Names of headers that an administrator may have set or forwarded. */
import * as z from "zod";

/** Neither hop-by-hop nor the protocol's own, nor what speaks of the way that a request took, nor a credential of Gatehouse. */
const forbidden =
  /^(?:host|content-length|content-type|content-encoding|connection|keep-alive|transfer-encoding|te|trailers?|upgrade|http2-settings|accept|accept-encoding|cookie2?|set-cookie2?|origin|referer|forwarded|via|expect|date|proxy-.*|sec-.*|cf-.*|x-forwarded-.*|x-real-ip|true-client-ip|x-gatehouse-.*|mcp-.*|last-event-id)$/;

/** A token (RFC 9110 section 5.6.2) that Gatehouse may set. */
export const headerNameSchema = z
  .string()
  .max(64)
  .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "must be an HTTP header name")
  .refine((name) => !forbidden.test(canonicalHeader(name)), "this header cannot be set");

/** Servers behind CGI read `_` and `-` as one, so two names that differ only there are the same. */
export const canonicalHeader = (name: string): string => name.toLowerCase().replaceAll("_", "-");
