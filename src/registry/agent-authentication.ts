/** Agent authentication: who may call a server, by the way they prove who they are. */
import * as z from "zod";
import { limits } from "../limits.ts";

/** Members that only a private or shared key has: pasted by mistake, one would be shown to everybody who may read the configuration. */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/** What kind of key it is, and whether it fits a token, is looked at where it is used. @see RFC 7517 section 4 */
const jwkSchema = z
  .record(z.string(), z.json())
  .refine((key) => typeof key["kty"] === "string", "needs kty: it must be a JSON Web Key")
  .refine((key) => !secretMembers.some((member) => Object.hasOwn(key, member)), "must be a public key");

export const agentAuthenticationSchema = z.discriminatedUnion("type", [
  /** Whoever Gatehouse admits: people through their AI clients, and machine clients. */
  z.strictObject({ type: z.literal("any") }),
  /** Only people, signed in through the organisation's identity provider. */
  z.strictObject({ type: z.literal("interactive") }),
  /** Only machine clients with a token of Gatehouse. */
  z.strictObject({ type: z.literal("machine") }),
  /**
   * `Authorization` is the caller's own: it goes to this server and nowhere else. Whoever wants to be known to Gatehouse sends its
   * token in `X-Gatehouse-Token`. On `/mcp/{server}` only.
   */
  z.strictObject({
    type: z.literal("passthrough"),
    /** Those without a token of Gatehouse. `allow_with_credential`: and the organisation's credential is added for them. */
    anonymous: z.enum(["deny", "allow", "allow_with_credential"]).default("deny"),
    /** The caller's token must be a valid JWT. Exactly one of `jwks_url` and `jwks`. */
    jwt: z
      .strictObject({
        jwks_url: z.string().min(1).max(limits.upstreamUrl_chars).optional(),
        jwks: z.strictObject({ keys: z.array(jwkSchema).min(1).max(limits.pastedKeys_count) }).optional(),
        issuer: z.string().min(1).max(limits.upstreamUrl_chars).optional(),
        audience: z.string().min(1).max(limits.upstreamUrl_chars).optional(),
      })
      .refine(({ jwks_url, jwks }) => (jwks_url === undefined) !== (jwks === undefined), {
        error: "needs exactly one of jwks_url and jwks",
      })
      .optional(),
  }),
]);

export type AgentAuthentication = z.infer<typeof agentAuthenticationSchema>;
