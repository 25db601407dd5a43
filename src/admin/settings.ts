/** `/settings`: what an administrator may switch for the tenant. */
import type * as z from "zod";
import { openDatabase } from "../db/index.ts";
import type { Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import { settingsSchema, settingsStore, type TenantSettings } from "../tenant/index.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { checkIfMatch, etagOf, lostRace } from "./precondition.ts";
import { route, type Call, type Done, type Route } from "./route.ts";

const updateBody = settingsSchema.partial();

const storeOf = (admin: AdminDependencies) => settingsStore(openDatabase(admin.database), admin.tenant);

async function read({ admin }: Call<unknown, unknown>): Promise<Result<Done, Failure>> {
  const { settings, updated_at } = await storeOf(admin).read();
  return ok(shown(admin, settings, updated_at));
}

async function update(call: Call<unknown, z.output<typeof updateBody>>): Promise<Result<Done, Failure>> {
  const { admin, body, now, ifMatch, given } = call;
  const stored = await storeOf(admin).read();
  const matched = checkIfMatch(ifMatch, stored.updated_at);
  if (!matched.ok) return matched;
  // Only what the request names: the schema fills defaults in, which would reset everything else.
  const named = Object.fromEntries(Object.entries(body).filter(([name]) => given.has(name)));
  const settings = settingsSchema.parse({ ...stored.settings, ...named });
  const updated_at = await storeOf(admin).write(settings, stored.updated_at, now);
  if (updated_at === undefined) return err(lostRace(ifMatch));
  return ok({ ...shown(admin, settings, updated_at), fields: [...given] });
}

function shown({ tenant }: AdminDependencies, settings: TenantSettings, updated_at: number): Done {
  return { status: 200, body: { ...settings }, etag: etagOf(updated_at), resourceId: tenant };
}

export const settingsRoutes: readonly Route[] = [
  route("GET", "/settings", "settings.read", {
    has: { summary: "Read the settings of the tenant", status: 200, answer: settingsSchema },
    run: read,
  }),
  route("PATCH", "/settings", "settings.update", {
    has: { summary: "Change settings of the tenant", status: 200, answer: settingsSchema },
    body: updateBody,
    run: update,
  }),
];
