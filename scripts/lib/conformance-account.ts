/** The conformance suite's scenarios with OAuth: a client of Gatehouse that calls tools, and a person who connects an account when asked. */
import * as z from "zod";
import { callModern } from "../../test/system/support/modern-request.ts";
import { createPerson, fieldsOf, type Person } from "../../test/system/support/person.ts";

export const clientSchema = z.object({
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
});

/** The suite's own metadata document, which no host serves: its authorization server takes the URL for the client. */
const documentOfSuite = "https://conformance-test.local/client-metadata.json";

/** How the server is registered for a scenario. */
export function oauthServer(scenario: string, context: z.output<typeof clientSchema>): Record<string, unknown> {
  const own =
    scenario === "auth/basic-cimd"
      ? { client_id: documentOfSuite, client_authentication: "none" }
      : context.client_id === undefined
        ? {}
        : { client_id: context.client_id };
  const secret =
    context.client_secret === undefined ? undefined : { type: "oauth", client_secret: context.client_secret };
  return {
    authentication: { type: "oauth", ...own },
    ...(secret === undefined ? {} : { credential: secret }),
  };
}

const listed = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });
const called = z.object({
  result: z.object({
    content: z.array(z.object({ text: z.string().optional() })).default([]),
    isError: z.boolean().optional(),
  }),
});

/** More than the suite allows a client to try. */
const tries_count = 6;

/** Lists the tools and calls each; whatever asks for an account gets one, and is asked again. */
export async function useWithAccount(endpoint: URL): Promise<void> {
  const person = createPerson();
  for (let tries = 0; tries < tries_count; tries += 1) {
    const { message } = await callModern(endpoint, { method: "tools/list" });
    const { tools } = listed.parse(message).result;
    const links: string[] = [];
    for (const { name } of tools) {
      const answer = await callModern(endpoint, { method: "tools/call", params: { name, arguments: {} } });
      const link = linkIn(answer.message);
      if (link !== undefined) links.push(link);
    }
    const [link] = links;
    if (link === undefined) return;
    if (!(await connectAccount(person, link))) return;
  }
}

/** The link that Gatehouse gives a client which can open none. */
function linkIn(message: unknown): string | undefined {
  const parsed = called.safeParse(message);
  const texts = parsed.success ? parsed.data.result.content.map(({ text = "" }) => text) : [];
  return /https?:\/\/\S+\/connect\/\S+/.exec(texts.join("\n"))?.[0];
}

/** @returns whether the account is connected now */
async function connectAccount(person: Person, link: string): Promise<boolean> {
  const page = await person.visit(link);
  const action = page.url.pathname;
  const fields = fieldsOf(page, action);
  if (fields === undefined) return false;
  const done = await person.visit(new URL(action, page.url), fields);
  return done.status === 200 && done.url.origin === page.url.origin;
}
