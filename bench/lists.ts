/**
 * `tools/list` on `/mcp` with more and more upstreams behind it, each 20 ms away: when nothing is stored of them, in a new isolate
 * on what another one has stored, and from memory, beside a bare Worker that answers as many bytes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueClientToken, type Api } from "../scripts/lib/admin-api.ts";
import { startRuntime, type Runtime } from "../scripts/lib/runtime.ts";
import { modernRequest } from "../test/system/support/modern-request.ts";
import { enterprise, portOf, queueProducers, register, sibling, sink, small, type Upstreams } from "./instance.ts";
import type { Load } from "./load.ts";
import { idMark } from "./message.ts";
import type { Cell, Meter, Sample } from "./meter.ts";
import type { Plan } from "./plan.ts";

export interface ListFigures {
  readonly upstreams: number;
  readonly answer_bytes: number;
  readonly warm: readonly Sample[];
  /** A bare Worker that answers as many bytes, in the order of the same rounds. */
  readonly static: readonly Sample[];
  /** The same with the two audit sends that each list makes. */
  readonly staticAudit: readonly Sample[];
  /** Nothing is stored of the upstreams: each is asked for its era, then for its tools. */
  readonly cold: readonly Sample[];
  /** The same after `server/discover`, which has asked for the eras. */
  readonly discovered: readonly Sample[];
  /** In a new isolate that has loaded the configuration, on lists which another one has stored. */
  readonly restarted: readonly Sample[];
}

const tools_count = 20;
const governed = "bench-governed";
/** Workers that answer a fixed text, by what their figures are called. */
const fixed = { static: "bench-static", staticAudit: "bench-static-audit" } as const;

/** A token for each number of servers; the client with none stands for what every list costs. */
type Tokens = ReadonlyMap<number, string>;

/** @returns tokens of `starts` groups of clients, no two of which may use the same server */
async function prepare(api: Api, { delayed, token }: Upstreams, plan: Plan["lists"]): Promise<Tokens[]> {
  const groups: Tokens[] = [];
  for (let start = 0; start < plan.starts; start += 1) {
    const tokens = new Map<number, string>();
    for (const size of [0, ...plan.sizes]) {
      const names = Array.from({ length: size }, (_, at) => `list-${start}-${size}-${at}`);
      for (const name of names) await register(api, name, delayed, token);
      tokens.set(size, (await issueClientToken(api, names, `list-${start}-${size}`)).token);
    }
    groups.push(tokens);
  }
  return groups;
}

/** Each start is another workerd, so each has a meter of its own. */
export type MeterOf = (runtime: Runtime) => Meter;

export async function measureLists(
  { lists: plan }: Plan,
  upstreams: Upstreams,
  meterOf: MeterOf,
  progress: (line: string) => void,
): Promise<ListFigures[]> {
  const persist = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const { vars, prepare: setUpTenant } = enterprise(upstreams);
  async function started<T>(use: (runtime: Runtime) => Promise<T>): Promise<T> {
    const workers = [
      await sibling(governed, vars),
      small(fixed.static, "static.js"),
      small(fixed.staticAudit, "static.js", { queueProducers }),
      sink(),
    ];
    const runtime = await startRuntime({ persist, vars, workers });
    try {
      return await use(runtime);
    } finally {
      await runtime.dispose();
    }
  }
  try {
    progress("Registering upstreams");
    const figures = new Map<number, Collected>(plan.sizes.map((size) => [size, new Collected(size)]));
    const groups = await started(async (runtime) => {
      const made = await prepare(await setUpTenant(runtime.url), upstreams, plan);
      const meter = meterOf(runtime);
      const port = await portOf(runtime, governed);
      await measureCold(made, meter, port, figures);
      const ports = {
        governed: port,
        static: await portOf(runtime, fixed.static),
        staticAudit: await portOf(runtime, fixed.staticAudit),
      };
      await measureWarm(plan, made[0] ?? new Map(), meter, ports, figures, progress);
      return made;
    });
    for (const group of groups) {
      progress("Starting again on what is stored");
      await started(async (runtime) =>
        measureRestarted(group, meterOf(runtime), await portOf(runtime, governed), figures),
      );
    }
    return [...figures.values()];
  } finally {
    await rm(persist, { recursive: true, force: true });
  }
}

class Collected implements ListFigures {
  readonly upstreams: number;
  answer_bytes = 0;
  warm: readonly Sample[] = [];
  static: readonly Sample[] = [];
  staticAudit: readonly Sample[] = [];
  readonly cold: Sample[] = [];
  readonly discovered: Sample[] = [];
  readonly restarted: Sample[] = [];

  constructor(upstreams: number) {
    this.upstreams = upstreams;
  }
}

type Figures = ReadonlyMap<number, Collected>;
type One = Omit<Load, "connections" | "calls">;

const request = (port: number, token: string, method = "tools/list"): One => ({
  port,
  path: "/mcp",
  ...modernRequest({ method, token, id: Number(idMark) }),
});

/** @throws when the list has a gap */
async function whole(meter: Meter, one: One, size: number): Promise<Sample> {
  const { answer, ...sample } = await meter.once(one);
  const tools = answer.split('"inputSchema"').length - 1;
  if (tools !== size * tools_count) throw new Error(`A list of ${size} upstreams has ${tools} tools.`);
  return sample;
}

/** Loads the configuration, so that what follows is the list alone. */
const loaded = (meter: Meter, port: number, group: Tokens): Promise<Sample> =>
  whole(meter, request(port, group.get(0) ?? ""), 0);

async function measureCold(groups: readonly Tokens[], meter: Meter, port: number, figures: Figures): Promise<void> {
  for (const [at, group] of groups.entries()) {
    await loaded(meter, port, group);
    for (const [size, { cold, discovered }] of figures) {
      const token = group.get(size) ?? "";
      const isDiscovered = at % 2 === 1;
      if (isDiscovered) await meter.once(request(port, token, "server/discover"));
      (isDiscovered ? discovered : cold).push(await whole(meter, request(port, token), size));
    }
  }
}

async function measureRestarted(group: Tokens, meter: Meter, port: number, figures: Figures): Promise<void> {
  await loaded(meter, port, group);
  for (const [size, { restarted }] of figures) {
    restarted.push(await whole(meter, request(port, group.get(size) ?? ""), size));
  }
}

async function measureWarm(
  plan: Plan["lists"],
  group: Tokens,
  meter: Meter,
  ports: Readonly<Record<"governed" | keyof typeof fixed, number>>,
  figures: Figures,
  progress: (line: string) => void,
): Promise<void> {
  const cells: Cell[] = [];
  for (const [size, figure] of figures) {
    const load = { ...request(ports.governed, group.get(size) ?? ""), connections: 1, calls: plan.calls };
    const cell = await meter.prepare(`governed ${size}`, load);
    const { answer_bytes } = cell;
    figure.answer_bytes = answer_bytes;
    cells.push(cell);
    for (const name of ["static", "staticAudit"] as const) {
      const bare = { ...load, port: ports[name], path: `/${answer_bytes}`, expected: " ".repeat(answer_bytes) };
      cells.push({ key: `${name} ${size}`, answer_bytes, load: bare });
      // Makes the text.
      await meter.sample(bare);
    }
  }
  const samples = await meter.rounds(cells, plan, progress);
  for (const [size, figure] of figures) {
    figure.warm = samples.get(`governed ${size}`) ?? [];
    figure.static = samples.get(`static ${size}`) ?? [];
    figure.staticAudit = samples.get(`staticAudit ${size}`) ?? [];
  }
}
