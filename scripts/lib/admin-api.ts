/** A minimal client of the admin API, for scripts and black-box tests. */
import { randomBytes } from "node:crypto";
import * as z from "zod";

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** JSON, or text where the answer is none; undefined without a body. */
  readonly body: unknown;
}

export type Api = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<ApiAnswer>;

const timeout_ms = 20_000;

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @param token of an administrator; development mode needs none */
export function createApi(url: URL, token?: string): Api {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(new URL(`/api/v1${path}`, url), {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeout_ms),
    });
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
  };
}

/** @throws with the whole answer when its status or shape is another one */
function expect<T extends z.ZodType>(what: string, answer: ApiAnswer, status: number, shape: T): z.output<T> {
  const body = shape.safeParse(answer.body);
  if (answer.status !== status || !body.success) {
    throw new Error(`${what} failed: HTTP ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return body.data;
}

const setupAnswer = z.object({ token: z.object({ token: z.string() }) });
const created = z.object({ id: z.string() });
const issued = z.object({ token: z.string() });
const serverPage = z.object({
  items: z.array(z.object({ id: z.string(), slug: z.string() })),
  next: z.string().nullable(),
});

/** Sets the tenant up. @returns the first administrator token */
export async function setUp(url: URL, secret: string): Promise<string> {
  return expect("Set-up", await createApi(url)("POST", "/setup", { secret }), 201, setupAnswer).token.token;
}

/** @returns the id of the server */
export async function registerServer(api: Api, server: Readonly<Record<string, unknown>>): Promise<string> {
  return expect("Registering a server", await api("POST", "/servers", server), 201, created).id;
}

/** Creates the server or, where the slug exists, changes the given members. @returns its id */
export async function putServer(
  api: Api,
  server: { slug: string } & Readonly<Record<string, unknown>>,
): Promise<string> {
  let cursor = "";
  for (;;) {
    const page = expect("Listing servers", await api("GET", `/servers?limit=200${cursor}`), 200, serverPage);
    const found = page.items.find((one) => one.slug === server.slug);
    if (found !== undefined) {
      const { slug: _slug, ...changes } = server;
      expect("Changing a server", await api("PATCH", `/servers/${found.id}`, changes), 200, created);
      return found.id;
    }
    if (page.next === null) return await registerServer(api, server);
    cursor = `&cursor=${page.next}`;
  }
}

const providerPage = z.object({
  items: z.array(z.object({ id: z.string(), issuer: z.string() })),
  next: z.string().nullable(),
});

/** Registers the identity provider or, where its issuer is known, changes the given members. @returns its id */
export async function putIdentityProvider(
  api: Api,
  provider: { issuer: string } & Readonly<Record<string, unknown>>,
): Promise<string> {
  const listed = await api("GET", "/identity-providers?limit=200");
  const page = expect("Listing identity providers", listed, 200, providerPage);
  const found = page.items.find((one) => one.issuer === provider.issuer);
  if (found === undefined) {
    const answer = await api("POST", "/identity-providers", provider);
    return expect("Registering an identity provider", answer, 201, created).id;
  }
  const { issuer: _issuer, kind: _kind, ...changes } = provider;
  const answer = await api("PATCH", `/identity-providers/${found.id}`, changes);
  return expect("Changing an identity provider", answer, 200, created).id;
}

/** Trusts a redirect URL; one that is trusted already stays as it is. */
export async function trustRedirect(api: Api, uri: string, note: string): Promise<void> {
  const answer = await api("POST", "/redirect-uris", { uri, note });
  if (answer.status === 409) return;
  expect("Trusting a redirect URL", answer, 201, created);
}

/** Creates a machine client with the given allow-list (ids or slugs, as the API takes them) and issues it a token. */
export async function issueClientToken(
  api: Api,
  servers: readonly string[],
  name = `client-${randomBytes(4).toString("hex")}`,
): Promise<{ clientId: string; token: string }> {
  const client = expect("Creating a client", await api("POST", "/clients", { name, servers }), 201, created);
  const answer = await api("POST", `/clients/${client.id}/tokens`, {});
  return { clientId: client.id, token: expect("Issuing a token", answer, 201, issued).token };
}
