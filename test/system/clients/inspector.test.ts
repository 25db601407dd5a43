import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aggregate, transparent, type Endpoint } from "./capabilities.ts";
import { inspect, startSite, type Site } from "./peers.ts";
import { everything, upstreams, type Upstream } from "./upstreams.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite("enterprise");
});
afterAll(() => site.stop());

const [, modern = everything] = upstreams;

/** Each era of the client, endpoint and era of the server at least once, and all four combinations of eras. */
const combinations: readonly { era: "modern" | "legacy" | "auto"; endpoint: Endpoint; upstream: Upstream }[] = [
  { era: "legacy", endpoint: aggregate, upstream: everything },
  { era: "modern", endpoint: aggregate, upstream: everything },
  { era: "legacy", endpoint: transparent, upstream: modern },
  { era: "auto", endpoint: transparent, upstream: modern },
];
const named = combinations.map((one) => ({
  ...one,
  path: one.endpoint.path(one.upstream.slug),
  server: one.upstream.slug,
}));

interface Row {
  readonly method: string;
  /** Each run is a process of its own: what all combinations need to show is one call. */
  readonly everywhere?: true;
  args(endpoint: Endpoint, upstream: Upstream): readonly string[];
  answer(endpoint: Endpoint, upstream: Upstream): object;
}

const contains = (member: string, value: string): unknown =>
  expect.arrayContaining([expect.objectContaining({ [member]: value })]);

const rows: readonly Row[] = [
  {
    method: "tools/list",
    args: () => [],
    answer: ({ name }, { slug, tool }) => ({ tools: contains("name", name(slug, tool.name)) }),
  },
  {
    method: "tools/call",
    everywhere: true,
    args: ({ name }, { slug, tool }) => [
      ...["--tool-name", name(slug, tool.name)],
      ...Object.entries(tool.input ?? {}).flatMap(([key, value]) => ["--tool-arg", `${key}=${String(value)}`]),
    ],
    answer: (_endpoint, { tool }) => ({ content: [{ text: expect.stringContaining(tool.says) }] }),
  },
  {
    method: "prompts/get",
    args: ({ name }, { slug, plainPrompt }) => ["--prompt-name", name(slug, plainPrompt)],
    answer: () => ({ messages: [{ role: "user" }] }),
  },
  {
    method: "resources/read",
    args: ({ uri }, { slug, template }) => ["--uri", uri(slug, template.instance)],
    answer: ({ uri }, { slug, template }) => ({ contents: [{ uri: uri(slug, template.instance) }] }),
  },
];

describe.each(named)("the Inspector's command line ($era) on $path, to the server $server", (combination) => {
  const { era, endpoint, upstream, path } = combination;
  const isFirst = combination === named[0] || combination === named[3];

  it.each(rows.filter(({ everywhere }) => everywhere ?? isFirst))(
    "F3, F4: $method",
    async ({ method, args, answer }) => {
      const printed = await inspect(site, path, era, ["--method", method, ...args(endpoint, upstream)]);
      expect(printed).toMatchObject(answer(endpoint, upstream));
    },
  );
});
