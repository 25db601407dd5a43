/** What an administrator sets for a provider: the column `options` of its row. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { clientAuthentications, signingAlgorithms } from "./provider-kinds.ts";

const groupName = z
  .string()
  .min(1)
  .max(limits.groupName_chars)
  .regex(/^\P{Cc}+$/u, "no control characters");

const groupList = z.array(groupName).max(limits.groupsPerRole_count).default([]);

/** Compared in lower case, and only with an address that the provider verified. */
const emailList = z
  .array(
    z
      .string()
      .max(254)
      .regex(/^[^\s@]+@[^\s@]+$/, "must be an e-mail address")
      .transform((email) => email.toLowerCase()),
  )
  .max(limits.emailsPerRole_count)
  .default([]);

const roleSchema = z.strictObject({ groups: groupList, emails: emailList });
const memberSchema = roleSchema.extend({
  /** Whoever the provider lets in. */
  everyone: z.boolean().default(false),
});

/** Who matches nothing cannot sign in. The first that matches counts. */
export const rolesSchema = z.strictObject({
  administrator: roleSchema.default(roleSchema.parse({})),
  auditor: roleSchema.default(roleSchema.parse({})),
  member: memberSchema.default(memberSchema.parse({})),
});

export type RoleRules = z.infer<typeof rolesSchema>;

export const providerOptionsSchema = z.strictObject({
  /** Instead of `openid profile email` and, where the provider has them, `offline_access` and the like. */
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, "must be a scope (RFC 6749 section 3.3)"))
    .max(20)
    .refine((scopes) => scopes.includes("openid"), "must include openid")
    .optional(),
  /** The claim that lists the groups of a person. */
  groups_claim: z
    .string()
    .min(1)
    .max(256)
    .regex(/^\P{Cc}+$/u, "no control characters")
    .optional(),
  /** Takes addresses without `email_verified` for verified. Only for a directory whose addresses your organisation assigns. */
  trusts_email: z.boolean().default(false),
  /** Google: the Workspace domains (claim `hd`) whose people may sign in. Empty: any account that a role rule names. */
  domains: z
    .array(
      z
        .string()
        .max(253)
        .regex(/^[a-z0-9.-]+\.[a-z0-9-]+$/, "must be a domain in lower case"),
    )
    .max(50)
    .default([]),
  /** `prompt` of every sign-in. Without it the provider asks nothing of who is signed in there. */
  prompt: z.enum(["select_account", "consent", "login"]).optional(),
  /**
   * Answers at `/login/callback/{id}` instead of `/login/callback`. Providers that do not name themselves in their answers
   * (RFC 9207) need it beside each other, or one could pass another one's answer off as its own.
   */
  own_callback: z.boolean().default(false),
  /** How the client secret is sent. Without it: as the provider is known, or says, to take it. */
  client_authentication: z.enum(clientAuthentications).optional(),
  /** Of ID tokens. Okta, Entra and Google sign with RS256. */
  signing_algorithms: z.array(z.enum(signingAlgorithms)).min(1).optional(),
  /** Whether its identity assertions (ID-JAG) get tokens for its people. */
  id_jag: z.boolean().default(false),
  roles: rolesSchema.default(rolesSchema.parse({})),
});

export type ProviderOptions = z.infer<typeof providerOptionsSchema>;
