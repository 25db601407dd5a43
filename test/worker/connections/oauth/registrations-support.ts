/** A provider that counts its registrations, and people who set out for it. */
import { env } from "cloudflare:workers";
import { resolveParty } from "../../../../src/connections/oauth/index.ts";
import { linkAttempts } from "../../../../src/connections/linking/attempts.ts";
import { openDatabase } from "../../../../src/db/index.ts";
import { limits } from "../../../../src/limits.ts";
import { createUsual, serverOf, valueOf } from "./support.ts";

export type Usual = Awaited<ReturnType<typeof createUsual>>;

export const oauth = { type: "oauth" };

/** The provider gives each registration a client of its own. */
export async function counting(): Promise<Usual> {
  const world = await createUsual();
  const { handle } = world.provider;
  let count = 0;
  world.serve("https://as.test", (sent) => {
    if (sent.url.endsWith("/register")) {
      count += 1;
      world.provider.registered = { client_id: `dcr-${count}`, client_secret: `dcr-secret-${count}` };
    }
    return handle(sent);
  });
  return world;
}

export const attemptsOf = ({ base }: Usual) => linkAttempts(openDatabase(env.DB), base.tenant.id);

/** Somebody goes to the provider. @returns what the answer would be recognised by */
export async function begin(world: Usual, { server_id = "server-1", user_id = "ada" } = {}): Promise<string> {
  const state_hash = crypto.randomUUID();
  const now = world.now();
  await attemptsOf(world).begin({
    ...{ state_hash, link_id: state_hash, user_id, server_id, pending: "" },
    ...{ created_at: now, expires_at: now + limits.link_ms },
  });
  world.advance(1000);
  return state_hash;
}

/** As many as make a registration doubtful. */
export async function beginThree(world: Usual, user_id = "ada"): Promise<void> {
  for (let count = 0; count < limits.lostLinks_count; count += 1) await begin(world, { user_id });
}

export const clientOf = async (world: Usual, revision = 1): Promise<string> =>
  valueOf(await resolveParty(world.base, await serverOf(world, oauth, { revision }))).client_id;
