/** The official servers behind the matrix, by what each calls the things that every MCP server has. */
import type { Era, Json } from "./sdk-clients.ts";

interface Call {
  readonly name: string;
  readonly input?: Json;
  /** In the text of the answer. */
  readonly says: string;
}

export interface Upstream {
  readonly slug: string;
  readonly era: Era;
  readonly tool: Call;
  readonly progress: Call & { readonly steps: readonly number[] };
  /** Works for longer than the test waits. */
  readonly slow: Omit<Call, "says">;
  readonly structured?: { readonly name: string; readonly input: Json; readonly content: Json };
  readonly prompt: { readonly name: string; readonly argument: string; readonly typed: string; readonly word: string };
  readonly plainPrompt: string;
  readonly resource: string;
  readonly template: { readonly uri: string; readonly instance: string };
  /** `tool` makes it change; where it keeps on, a second call stops it. */
  readonly watched: { readonly uri: string; readonly tool: Omit<Call, "says">; readonly isToggle: boolean };
  readonly listChange: { readonly tool: Omit<Call, "says">; readonly notification: string };
  readonly log: { readonly tool: string; readonly isToggle: boolean };
  /** Tasks of 2025-11-25. */
  readonly task: Omit<Call, "says">;
  /** What it says when it cannot ask the client. */
  readonly refuses: RegExp;
  readonly asks: Readonly<Record<"sampling" | "form" | "url" | "roots", Call>>;
}

/** The "everything" server: 2025-11-25, with sessions. What it says of its own accord goes to the stream of the session. */
export const everything: Upstream = {
  slug: "everything",
  era: "legacy",
  tool: { name: "get-sum", input: { a: 2, b: 3 }, says: "The sum of 2 and 3 is 5." },
  progress: {
    name: "trigger-long-running-operation",
    input: { duration: 0.4, steps: 2 },
    says: "Long running operation completed",
    steps: [1, 2],
  },
  slow: { name: "trigger-long-running-operation", input: { duration: 3, steps: 1 } },
  structured: {
    name: "get-structured-content",
    input: { location: "New York" },
    content: { temperature: 33, conditions: "Cloudy", humidity: 82 },
  },
  prompt: { name: "completable-prompt", argument: "department", typed: "E", word: "Engineering" },
  plainPrompt: "simple-prompt",
  resource: "demo://resource/static/document/architecture.md",
  template: { uri: "demo://resource/dynamic/text/{resourceId}", instance: "demo://resource/dynamic/text/7" },
  watched: {
    uri: "demo://resource/static/document/features.md",
    tool: { name: "toggle-subscriber-updates" },
    isToggle: true,
  },
  listChange: {
    tool: { name: "gzip-file-as-resource", input: { name: "note.gz", data: "data:text/plain,note" } },
    notification: "notifications/resources/list_changed",
  },
  log: { tool: "toggle-simulated-logging", isToggle: true },
  task: { name: "simulate-research-query", input: { topic: "gates" } },
  // Offers only what the client can be asked.
  refuses: /Tool .* not found/,
  asks: {
    sampling: { name: "trigger-sampling-request", input: { prompt: "Hello?" }, says: "Hello from the model" },
    form: { name: "trigger-elicitation-request", says: "Name: Ada" },
    url: {
      name: "trigger-url-elicitation",
      input: { url: "https://example.com/sign-in" },
      says: "User completed the URL elicitation flow",
    },
    roots: { name: "get-roots-list", says: "file:///work/project" },
  },
};

/** The fixture of the conformance runs, as it is in both eras. */
const fixture: Omit<Upstream, "slug" | "era"> = {
  tool: { name: "test_simple_text", says: "This is a simple text response" },
  progress: { name: "test_tool_with_progress", says: "", steps: [0, 50, 100] },
  slow: { name: "test_task", input: { ms: 3_000 } },
  prompt: { name: "test_prompt_with_arguments", argument: "arg1", typed: "pari", word: "paris" },
  plainPrompt: "test_simple_prompt",
  resource: "test://static-text",
  template: { uri: "test://template/{id}/data", instance: "test://template/7/data" },
  watched: {
    uri: "test://watched-resource",
    tool: { name: "test_trigger_resource_update" },
    isToggle: false,
  },
  listChange: { tool: { name: "test_trigger_tool_change" }, notification: "notifications/tools/list_changed" },
  log: { tool: "test_logging_tool", isToggle: false },
  task: { name: "test_task", input: { ms: 20_000 } },
  refuses: /Cannot request input 'answer'|does not support url elicitation/,
  asks: {
    sampling: { name: "test_sampling", says: "LLM response: Hello from the model" },
    form: { name: "test_elicitation", says: '"response":"Ada"' },
    url: { name: "test_elicitation_url", says: "action=accept" },
    roots: { name: "test_list_roots", says: "file:///work/project" },
  },
};

export const upstreams: readonly Upstream[] = [
  everything,
  { slug: "modern", era: "modern", ...fixture },
  { slug: "legacy", era: "legacy", ...fixture },
];
