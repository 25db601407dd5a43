/** `/vault`: which keys there are, and how far the tenant's records are under the current one. */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import type { Failure } from "../errors.ts";
import { ok, type Result } from "../ports.ts";
import { rewrap, rotationProgress } from "../vault/index.ts";
import { timeSchema } from "./fields.ts";
import { route, type Call, type Done, type Route } from "./route.ts";

const countSchema = z.int().nonnegative();
const kidSchema = z.string().describe("Id of a key-encryption key");

const progressAnswer = z
  .object({
    current: kidSchema,
    keys: z.array(z.object({ kid: kidSchema })).describe("All that open, the current one first"),
    state: z
      .enum(["none", "running", "done"])
      .describe(
        "`none`: no step has run since this key is the current one, or there never was another. `done`: no record is under another key any more",
      ),
    seen_count: countSchema.describe(
      "Records looked at in the present walk over all of them, whichever key they are under",
    ),
    rewrapped_count: countSchema.describe("Records sealed anew since the rotation began, in all walks"),
    failed_count: countSchema.describe("Records that no key of the ring opens; the log names them"),
    started_at: timeSchema.optional(),
    finished_at: timeSchema.optional(),
    next_walk_at: timeSchema
      .optional()
      .describe("Between two walks: when the next one may begin. Steps before change nothing"),
    removable: z.array(kidSchema).describe("Keys that may leave the ring without anybody noticing"),
    removable_at: timeSchema
      .optional()
      .describe("When they may. Sooner, sessions and unused refresh tokens under them are void"),
  })
  .meta({ id: "VaultRotation" });

async function read({ admin, now }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const progress = await rotationProgress(openDatabase(admin.database), admin.tenant, admin.visit.vault, now);
  return ok({ status: 200, body: { ...progress } });
}

/** What the timer does by itself, now. */
async function step({ admin }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { platform, vault } = admin.visit;
  const progress = await rewrap(platform, vault, admin.tenant);
  return ok({ status: 200, body: { ...progress }, resourceId: admin.tenant });
}

export const vaultRoutes: readonly Route[] = [
  route("GET", "/vault", "vault.read", {
    has: { summary: "Read how far the change to the current key is", status: 200, answer: progressAnswer },
    run: read,
  }),
  route("POST", "/vault/rewrap", "vault.rewrap", {
    has: {
      summary: "Seal records anew under the current key now, instead of waiting for the timer",
      description:
        "One bounded step. Repeat it until `state` is `done` or there is a `next_walk_at`, or leave it to the timer.",
      status: 200,
      answer: progressAnswer,
    },
    run: step,
  }),
];
