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
  const nested = call.givenIn("registration");
  const registration = { ...stored.settings.registration, ...picked(body.registration ?? {}, nested) };
  const settings = settingsSchema.parse({ ...stored.settings, ...picked(body, given), registration });
  const updated_at = await storeOf(admin).write(settings, stored.updated_at, now);
  if (updated_at === undefined) return err(lostRace(ifMatch));
  const fields = [...given].flatMap((name) =>
    name === "registration" ? [...nested].map((member) => `registration.${member}`) : [name],
  );
  return ok({ ...shown(admin, settings, updated_at), fields });
}

const picked = (members: object, names: ReadonlySet<string>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([name]) => names.has(name)));

function shown({ tenant }: AdminDependencies, settings: TenantSettings, updated_at: number): Done {
  return { status: 200, body: { ...settings }, etag: etagOf(updated_at), resourceId: tenant };
}

export const settingsRoutes: readonly Route[] = [
  route("GET", "/settings", "settings.read", {
    has: { summary: "Read the settings of the tenant", status: 200, answer: settingsSchema },
    run: read,
  }),
  route("PATCH", "/settings", "settings.update", {
    has: {
      summary: "Change settings of the tenant",
      description: "Of `registration`, too, only the members that are named change.",
      status: 200,
      answer: settingsSchema,
    },
    body: updateBody,
    run: update,
  }),
];
