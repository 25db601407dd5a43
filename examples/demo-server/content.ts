/** A resource, a resource template and a prompt, with completion of their arguments. */
import { completable, ResourceTemplate, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const greetings = new Map([
  ["de", "Guten Tag"],
  ["en", "Good day"],
  ["fr", "Bonjour"],
  ["nl", "Goedendag"],
]);
const languages = (typed: string | undefined): string[] =>
  [...greetings.keys()].filter((language) => language.startsWith(typed ?? ""));

export function addContent(server: McpServer): void {
  server.registerResource(
    "about",
    "demo://about",
    { title: "About", description: "What this server is", mimeType: "text/plain" },
    async (uri) => ({
      contents: [{ uri: uri.href, mimeType: "text/plain", text: "The demo server that comes with Gatehouse." }],
    }),
  );
  server.registerResource(
    "greeting",
    new ResourceTemplate("demo://greetings/{language}", {
      list: undefined,
      complete: { language: (typed) => languages(typed) },
    }),
    { title: "Greeting", description: "A greeting by language", mimeType: "text/plain" },
    async (uri, { language }) => ({
      contents: [{ uri: uri.href, mimeType: "text/plain", text: greetings.get(String(language)) ?? "Hello" }],
    }),
  );
  server.registerPrompt(
    "welcome",
    {
      title: "Welcome",
      description: "Asks for a welcome message in a language",
      argsSchema: z.object({ language: completable(z.string(), (typed) => languages(typed)) }),
    },
    async ({ language }) => ({
      messages: [{ role: "user", content: { type: "text", text: `Write a short welcome in ${language}.` } }],
    }),
  );
}
