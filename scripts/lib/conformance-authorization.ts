/** Gatehouse as the authorization server of the conformance suite, with an identity provider and a person who agrees to everything. */
import * as z from "zod";
import { createPerson, fieldsOf, pressName, type Person } from "../../test/system/support/person.ts";
import { createApi, putIdentityProvider, registerServer, setUp, trustRedirect } from "./admin-api.ts";
import type { AuthorizationClient } from "./conformance-suite.ts";
import { startIdentityProvider } from "./identity-provider.ts";
import { newKey, newSecret } from "./keys.ts";
import { freePort } from "./network.ts";
import { startRuntime } from "./runtime.ts";

const redirect_uri = "http://127.0.0.1/callback";

const registered = z.object({ client_id: z.string() });

/** @param use gets the issuer, and a client of it */
export async function withAuthorizationServer<T>(
  use: (issuer: string, client: AuthorizationClient) => Promise<T>,
): Promise<T> {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const secret = newSecret();
  const identity = await startIdentityProvider({ redirect_uris: [`${issuer}/login/callback`] });
  try {
    const runtime = await startRuntime({
      port,
      vars: {
        GATEHOUSE_MODE: "enterprise",
        GATEHOUSE_TENANTS: "default=localhost",
        GATEHOUSE_KEYS: newKey("conformance"),
        GATEHOUSE_SETUP_SECRET: secret,
        GATEHOUSE_EGRESS_ORIGINS: identity.issuer,
      },
    });
    try {
      const api = createApi(runtime.url, await setUp(runtime.url, secret));
      const { client_id, client_secret } = identity;
      await putIdentityProvider(api, {
        ...{ kind: "generic", name: "Directory", issuer: identity.issuer, client_id, client_secret },
        options: { roles: { member: { everyone: true } } },
      });
      const access = { everyone: true };
      await registerServer(api, { slug: "server", url: "https://server.example.com/mcp", access });
      await trustRedirect(api, redirect_uri, "The conformance suite");
      const person = createPerson();
      return await use(issuer, {
        client_id: await register(issuer),
        resource: `${issuer}/mcp`,
        authorize: (url) => agree(person, url),
      });
    } finally {
      await runtime.dispose();
    }
  } finally {
    await identity.close();
  }
}

async function register(issuer: string): Promise<string> {
  const metadata = { client_name: "Conformance", redirect_uris: [redirect_uri], token_endpoint_auth_method: "none" };
  const answer = await fetch(`${issuer}/oauth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(metadata),
  });
  return registered.parse(await answer.json()).client_id;
}

/** Signs in where that is asked for, and allows the servers that are chosen on the page. */
async function agree(person: Person, url: string): Promise<void> {
  let page = await person.visit(url);
  if (page.text.includes('name="person"')) page = await pressName(person, page, "ben");
  const fields = fieldsOf(page, "/oauth/consent");
  if (fields === undefined) throw new Error(`Nothing to agree to at ${page.url.href} (HTTP ${page.status}).`);
  await person.visit(new URL("/oauth/consent", page.url), { ...fields, decision: "allow" });
}
