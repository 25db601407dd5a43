/**
 * `npm start -- --enterprise`: enterprise mode with a real OpenID provider, two sample people and their access to two servers. A
 * second start on the same port finds everything as it was left: secrets and the administrator's token stay in the state directory.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { createApi, putIdentityProvider, putServer, setUp, trustRedirect, type Api } from "./admin-api.ts";
import { newIdentityKey, samplePeople, startIdentityProvider, type IdentityProvider } from "./identity-provider.ts";
import { newSecret } from "./keys.ts";
import { isFree } from "./network.ts";
import type { Running } from "./running.ts";
import { enterpriseWelcome } from "./welcome.ts";

/** Clients on this machine, and Cursor, which asks for all three of its addresses at once. */
const trustedRedirects = [
  ["http://localhost", "Clients on this machine"],
  ["http://127.0.0.1", "Clients on this machine"],
  ["cursor://anysphere.cursor-mcp/oauth/callback", "Cursor"],
  ["https://www.cursor.com/agents/mcp/oauth/callback", "Cursor"],
] as const;

const secretsSchema = z.object({
  setup_secret: z.string(),
  client_secret: z.string(),
  identity_key: z.looseObject({ kty: z.string(), kid: z.string() }),
});

type Secrets = z.infer<typeof secretsSchema>;

/** For the owner of the machine only, like the databases beside it. */
const private_ = { mode: 0o600 } as const;

async function keptSecrets(state: string): Promise<Secrets> {
  const file = join(state, "secrets.json");
  if (existsSync(file)) return secretsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const secrets = secretsSchema.parse({
    setup_secret: newSecret(),
    client_secret: newSecret(),
    identity_key: await newIdentityKey(),
  });
  writeFileSync(file, JSON.stringify(secrets), { ...private_, flag: "wx" });
  return secrets;
}

/** @throws when the tenant is set up and its token is lost or has expired */
async function administratorToken(url: URL, file: string, state: string, secret: string): Promise<string> {
  if (!existsSync(file)) {
    const token = await setUp(url, secret);
    writeFileSync(file, `${token}\n`, { ...private_, flag: "wx" });
    return token;
  }
  const token = readFileSync(file, "utf8").trim();
  const { status } = await createApi(url, token)("GET", "/settings");
  if (status === 200) return token;
  throw new Error(
    `The administrator's token in ${file} no longer works (HTTP ${status}). To begin anew: rm -r ${state}`,
  );
}

async function startIdentity(origin: string, port: number, secrets: Secrets): Promise<IdentityProvider> {
  // Next to the gateway, so that its issuer is the same after a restart: people are known by it.
  const identityPort = port + 1;
  if (!(await isFree(identityPort))) {
    throw new Error(
      `Port ${identityPort}, where the identity provider would be, is taken. ` +
        `Choose another pair: PORT=${port + 10} npm start -- --enterprise`,
    );
  }
  return startIdentityProvider({
    port: identityPort,
    client_secret: secrets.client_secret,
    key: secrets.identity_key,
    redirect_uris: [`${origin}/login/callback`],
    post_logout_redirect_uris: [`${origin}/me`],
    backchannel_logout_uri: `${origin}/login/backchannel-logout`,
  });
}

async function configure(
  api: Api,
  identity: IdentityProvider,
  upstreams: { everything: URL; demo: URL },
): Promise<void> {
  await putIdentityProvider(api, {
    kind: "generic",
    name: "Local sign-in",
    issuer: identity.issuer,
    client_id: identity.client_id,
    client_secret: identity.client_secret,
    options: {
      scopes: ["openid", "profile", "email", "groups"],
      roles: { administrator: { groups: ["administrators"] }, member: { everyone: true } },
    },
  });
  await putServer(api, { slug: "demo", name: "Demo", url: upstreams.demo.href, access: { everyone: true } });
  await putServer(api, {
    slug: "everything",
    name: "Everything (official test server)",
    url: upstreams.everything.href,
    access: { everyone: false, groups: ["engineering"] },
  });
  for (const [uri, note] of trustedRedirects) await trustRedirect(api, uri, note);
}

/** @returns what to print once everything answers */
export async function startEnterprise(running: Running, port: number, state: string): Promise<string> {
  const secrets = await keptSecrets(state);
  const identity = await startIdentity(`http://localhost:${port}`, port, secrets);
  running.add("identity provider", () => identity.close());
  const upstreams = await running.startUpstreams();
  // Servers of this machine: in enterprise mode each is named, where development mode allows loopback as such.
  const egress = [identity.issuer, upstreams.demo.origin, upstreams.everything.origin];
  const vars = { GATEHOUSE_MODE: "enterprise", GATEHOUSE_SETUP_SECRET: secrets.setup_secret };
  const gateway = await running.startGateway(port, state, vars, egress);
  const file = join(state, "administrator-token");
  const token = await administratorToken(gateway.url, file, state, secrets.setup_secret);
  await configure(createApi(gateway.url, token), identity, upstreams);
  return enterpriseWelcome(gateway.url, {
    state: `.gatehouse/${port}/enterprise/`,
    issuer: identity.issuer,
    people: samplePeople,
  });
}
