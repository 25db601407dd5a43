/** An access token as a machine gets it: client credentials, for one MCP endpoint of one Worker. */
import * as z from "zod";
import type { Api, ApiAnswer } from "../scripts/lib/admin-api.ts";

const created = z.object({ id: z.string() });
const issued = z.object({ secret: z.string() });
const answered = z.object({ access_token: z.string() });

function read<T extends z.ZodType>(
  what: string,
  { status, body }: Pick<ApiAnswer, "status" | "body">,
  shape: T,
): z.output<T> {
  const parsed = shape.safeParse(body);
  if (!parsed.success) throw new Error(`${what} failed: HTTP ${status} ${JSON.stringify(body)}`);
  return parsed.data;
}

export interface OAuthMachine {
  readonly id: string;
  readonly secret: string;
}

/** Registers a client that may use these servers and get tokens by its secret. */
export async function registerMachine(api: Api, servers: readonly string[]): Promise<OAuthMachine> {
  const oauth = { authentication: "client_secret_basic", grant_types: ["client_credentials"] };
  const { id } = read(
    "Creating a client",
    await api("POST", "/clients", { name: "bench-oauth", servers, oauth }),
    created,
  );
  const { secret } = read("Issuing a secret", await api("POST", `/clients/${id}/secrets`, {}), issued);
  return { id, secret };
}

/** @param endpoint the MCP endpoint, which is the token's audience */
export async function accessToken({ id, secret }: OAuthMachine, endpoint: URL): Promise<string> {
  const response = await fetch(new URL("/oauth/token", endpoint), {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: endpoint.href }),
  });
  return read("Getting an access token", { status: response.status, body: await response.json() }, answered)
    .access_token;
}
