/** The capabilities of MCP, each with what proves it: the rows of the matrix. */
import { expect } from "vitest";
import type { Json, Peer } from "./sdk-clients.ts";
import type { Upstream } from "./upstreams.ts";

/** What a name and a URI of the upstream are on this endpoint. */
export interface Endpoint {
  readonly path: (slug: string) => string;
  readonly name: (slug: string, own: string) => string;
  readonly uri: (slug: string, own: string) => string;
}

export const aggregate: Endpoint = {
  path: () => "/mcp",
  name: (slug, own) => `${slug}__${own}`,
  uri: (slug, own) => `gatehouse://${slug}/${own}`,
};
export const transparent: Endpoint = {
  path: (slug) => `/mcp/${slug}`,
  name: (_slug, own) => own,
  uri: (_slug, own) => own,
};

/** One client at one endpoint, and the upstream that it means. */
export interface Place {
  readonly peer: Peer;
  readonly upstream: Upstream;
  readonly name: (own: string) => string;
  readonly uri: (own: string) => string;
}

export const cancels = "cancels a call";

export interface Capability {
  readonly id: "F3" | "F4";
  readonly does: string;
  /** Where it exists, as far as not everywhere. */
  readonly where?: (place: Pick<Peer, "era">, upstream: Upstream) => boolean;
  proof(place: Place): Promise<void>;
}

export const textOf = (result: Json): string =>
  ((result["content"] ?? []) as readonly { readonly text?: string }[]).map(({ text }) => text ?? "").join("\n");

const arrived = (peer: Peer, method: string, params: unknown = expect.anything()): Promise<void> =>
  expect.poll(() => peer.told, { timeout: 10_000 }).toContainEqual({ method, params });

const isSameEra: Capability["where"] = (peer, upstream) => peer.era === upstream.era;

const plain: readonly Capability[] = [
  {
    id: "F3",
    does: "lists tools and calls one",
    async proof({ peer, upstream: { tool }, name }) {
      const { tools } = await peer.client.listTools();
      expect(tools.map((each) => each.name)).toContain(name(tool.name));
      expect(textOf(await peer.call(name(tool.name), tool.input))).toContain(tool.says);
    },
  },
  {
    id: "F3",
    does: "hears the progress of a call",
    async proof({ peer, upstream: { progress }, name }) {
      const steps: number[] = [];
      const options = { onprogress: (step: { progress: number }) => steps.push(step.progress) };
      expect(textOf(await peer.call(name(progress.name), progress.input, options))).toContain(progress.says);
      // SDK v1 loses a step that comes together with the answer, which on standard input may happen to the last.
      expect(steps.length).toBeGreaterThanOrEqual(progress.steps.length - 1);
      expect(steps).toEqual(progress.steps.slice(0, steps.length));
    },
  },
  {
    id: "F3",
    does: "gets structured content",
    where: (_peer, { structured }) => structured !== undefined,
    async proof({ peer, upstream: { structured }, name }) {
      const result = await peer.call(name(structured?.name ?? ""), structured?.input);
      expect(result["structuredContent"]).toEqual(structured?.content);
    },
  },
  {
    id: "F3",
    does: "lists prompts and gets one",
    async proof({ peer, upstream: { plainPrompt }, name }) {
      const { prompts } = await peer.client.listPrompts();
      expect(prompts.map((each) => each.name)).toContain(name(plainPrompt));
      expect((await peer.client.getPrompt({ name: name(plainPrompt) })).messages).toHaveLength(1);
    },
  },
  {
    id: "F3",
    does: "completes an argument",
    async proof({ peer, upstream: { prompt }, name }) {
      const { completion } = await peer.client.complete({
        ref: { type: "ref/prompt", name: name(prompt.name) },
        argument: { name: prompt.argument, value: prompt.typed },
      });
      expect(completion.values).toContain(prompt.word);
    },
  },
  {
    id: "F3",
    does: "lists resources and reads one",
    async proof({ peer, upstream: { resource }, uri }) {
      const { resources } = await peer.client.listResources();
      expect(resources.map((each) => each.uri)).toContain(uri(resource));
      const { contents } = await peer.client.readResource({ uri: uri(resource) });
      expect(contents.map((each) => each.uri)).toEqual([uri(resource)]);
    },
  },
  {
    id: "F3",
    does: "lists templates and reads by one",
    async proof({ peer, upstream: { template }, uri }) {
      const { resourceTemplates } = await peer.client.listResourceTemplates();
      expect(resourceTemplates.map((each) => each.uriTemplate)).toContain(uri(template.uri));
      const { contents } = await peer.client.readResource({ uri: uri(template.instance) });
      expect(contents.map((each) => each.uri)).toEqual([uri(template.instance)]);
    },
  },
  {
    id: "F3",
    does: "pings",
    where: ({ era }) => era === "legacy",
    proof: async ({ peer }) => void expect(await peer.client.ping()).toEqual({}),
  },
];

/**
 * The everything server tells of changes and logs on the stream of the session that asked it to do so. The calls of a client of
 * 2026-07-28 share a session that has no such stream.
 */
const sharesSession: Capability["where"] = ({ era }, upstream) => era === "legacy" || upstream.slug !== "everything";

const changes: readonly Capability[] = [
  {
    id: "F3",
    where: sharesSession,
    does: "subscribes to a resource, hears of its change and unsubscribes",
    async proof({ peer, upstream: { watched }, name, uri }) {
      const end = await peer.subscribe(uri(watched.uri));
      const change = (): Promise<Json> => peer.call(name(watched.tool.name), watched.tool.input);
      await change();
      await arrived(peer, "notifications/resources/updated", expect.objectContaining({ uri: uri(watched.uri) }));
      await end();
      if (watched.isToggle) await change();
    },
  },
  {
    id: "F3",
    where: sharesSession,
    does: "hears that a list changed",
    async proof({ peer, upstream: { listChange }, name }) {
      const end = await peer.listen();
      const earlier_count = peer.told.filter(({ method }) => method === listChange.notification).length;
      await peer.call(name(listChange.tool.name), listChange.tool.input);
      await expect
        .poll(() => peer.told.filter(({ method }) => method === listChange.notification).length, { timeout: 10_000 })
        .toBeGreaterThan(earlier_count);
      await end();
    },
  },
  {
    id: "F3",
    does: "sets a log level and gets the log",
    where: sharesSession,
    async proof({ peer, upstream: { log }, name }) {
      if (peer.era === "legacy") await peer.client.setLoggingLevel("debug");
      const meta = peer.era === "modern" ? { "io.modelcontextprotocol/logLevel": "debug" } : {};
      await peer.call(name(log.tool), {}, {}, meta);
      await arrived(peer, "notifications/message", expect.objectContaining({ data: expect.anything() }));
      if (log.isToggle) await peer.call(name(log.tool));
    },
  },
];

const kinds = ["sampling", "form", "url", "roots"] as const;

const asks: readonly Capability[] = kinds.map((kind) => ({
  id: "F3",
  does: `is asked in the middle of a call: ${kind}`,
  where: isSameEra,
  async proof({ peer, upstream, name }) {
    const { [kind]: call } = upstream.asks;
    // The everything server asks for roots when its session begins, which may be before its stream is there, and when they
    // change.
    if (kind === "roots" && upstream.slug === "everything") {
      await peer.client.sendRootsListChanged();
      await expect.poll(() => peer.asked, { timeout: 10_000 }).toContain("roots/list");
    }
    expect(textOf(await peer.call(name(call.name), call.input))).toContain(call.says);
  },
}));

/** Across the eras nothing can be asked yet: the client is told so, and never gets a made-up answer. */
const refusals: readonly Capability[] = kinds.map((kind) => ({
  id: "F4",
  does: `is told that it cannot be asked across eras: ${kind}`,
  where: (peer, upstream) => peer.era !== upstream.era,
  async proof({ peer, upstream, name }) {
    const { [kind]: call } = upstream.asks;
    // The everything server asks for roots whenever it likes; nothing else comes without a call.
    const asked = (): string[] => peer.asked.filter((method) => method !== "roots/list");
    const before = asked();
    const answer = peer.call(name(call.name), call.input);
    const said = await answer.then(
      (result) => [result["isError"], textOf(result)],
      (error: unknown) => [true, String(error)],
    );
    expect(said).toEqual([true, expect.stringMatching(upstream.refuses)]);
    expect(asked()).toEqual(before);
  },
}));

/** `tasks/list` of the aggregate takes one server at a time. */
async function taskIds(peer: Peer, cursor?: unknown): Promise<string[]> {
  const page = await peer.request("tasks/list", cursor === undefined ? {} : { cursor });
  const ids = (page["tasks"] as { taskId: string }[]).map(({ taskId }) => taskId);
  return page["nextCursor"] === undefined ? ids : [...ids, ...(await taskIds(peer, page["nextCursor"]))];
}

const endings: readonly Capability[] = [
  {
    id: "F3",
    does: "runs a tool as a task, sees it, lists it and cancels it",
    // The tasks of 2025-11-25 are no part of 2026-07-28.
    where: ({ era }, upstream) => era === "legacy" && upstream.era === "legacy",
    async proof({ peer, upstream: { task: call }, name }) {
      const params = { name: name(call.name), arguments: call.input, task: { ttl: 60_000 } };
      const { task } = (await peer.request("tools/call", params)) as { task: { taskId: string } };
      const { taskId } = task;
      expect(await peer.request("tasks/get", { taskId })).toMatchObject({ taskId, status: "working" });
      expect(await taskIds(peer)).toContain(taskId);
      expect(await peer.request("tasks/cancel", { taskId })).toMatchObject({ taskId, status: "cancelled" });
    },
  },
  {
    id: "F3",
    does: cancels,
    async proof({ peer, upstream: { slow }, name }) {
      const patience = AbortSignal.timeout(300);
      await expect(peer.call(name(slow.name), slow.input, { signal: patience })).rejects.toThrow();
      // The session works on.
      expect((await peer.client.listTools()).tools).not.toHaveLength(0);
    },
  },
];

export const capabilities: readonly Capability[] = [...plain, ...changes, ...asks, ...refusals, ...endings];
