/** `POST /setup`: the first administrator, once per tenant, by whoever holds the secret of the deployment. */
import * as z from "zod";
import { initialiseTenant, undoInitialisation } from "../admission/index.ts";
import { openDatabase } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { defaultSettings } from "../tenant/index.ts";
import { nameSchema } from "./fields.ts";
import { route, type Call, type Done, type Route } from "./route.ts";
import { isExampleSecret, isSameSecret } from "./setup-secret.ts";
import { mint, newTokenAnswer } from "./token-fields.ts";

const setupBody = z.strictObject({
  secret: z.string().min(1).max(limits.bearer_chars).describe("The value of GATEHOUSE_SETUP_SECRET"),
  name: nameSchema.default("set-up").describe("Name of the administrator token"),
});

type Setup = Call<unknown, z.output<typeof setupBody>>;

const setupAnswer = z.object({ tenant: z.string(), token: newTokenAnswer });

const done = failure("conflict", "This tenant is set up already. An administrator can issue further tokens.", {
  reason: "already_initialised",
});

/** Proves the right to set up before anything is said about the tenant. */
async function authorize({ admin, body }: Setup): Promise<Result<void, Failure>> {
  if (admin.mode === "development") {
    return err(failure("conflict", "Development mode needs no set-up: it asks for no credentials", { reason: "mode" }));
  }
  if (admin.setupSecret === undefined) {
    const detail =
      "Set-up is closed. Set the secret GATEHOUSE_SETUP_SECRET (at least 32 random characters) and deploy again.";
    return err(failure("forbidden", detail, { reason: "setup_closed" }));
  }
  if (isExampleSecret(admin.setupSecret)) {
    const detail = "GATEHOUSE_SETUP_SECRET is an example value. Set one of at least 32 random characters.";
    return err(failure("forbidden", detail, { reason: "setup_secret_example" }));
  }
  if (await isSameSecret(body.secret, admin.setupSecret)) return ok(undefined);
  return err(failure("unauthenticated", "The set-up secret is not right", { reason: "setup_secret_wrong" }));
}

async function run({ admin, body, now, given }: Setup): Promise<Result<Done, Failure>> {
  const database = openDatabase(admin.database);
  const { row, view } = await mint(admin.ports, "administrator", body.name, now, now + limits.tokenLife_ms);
  const won = await initialiseTenant(database, admin.tenant, row, JSON.stringify(defaultSettings), now);
  if (!won) return err(done);
  return ok({
    status: 201,
    body: { tenant: admin.tenant, token: view },
    resourceId: admin.tenant,
    fields: [...given].filter((name) => name !== "secret"),
    agent: `administrator:${row.id}`,
    undo: () => undoInitialisation(database, admin.tenant, row.id),
  });
}

export const setupRoutes: readonly Route[] = [
  route("POST", "/setup", "setup.complete", {
    access: "setup",
    has: {
      summary: "Set the tenant up and get its first administrator token",
      description: "Works once for each tenant. The answer shows the token once.",
      status: 201,
      answer: setupAnswer,
    },
    body: setupBody,
    authorize,
    run,
  }),
];
