/** A tenant with two servers of 2025, `old` and `other`, whose calls stay open until a test ends them, and a client of 2025. */
import { env } from "cloudflare:workers";
import type { AuditEvent } from "../../../src/audit/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "../gateway/channel.ts";
import { LegacyClient } from "../gateway/legacy-client.ts";
import { legacyUpstream, type LegacyAnswer, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import { createHarness, freshKeys, setUp, type Harness, type Seen, type Tenant } from "../gateway/support.ts";
import type { VirtualClock } from "../gateway/virtual-clock.ts";

const sessions = Array.from({ length: 50 }, (_, n) => `s-${n}`);
const everything = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

export const done = (id: string | number, text = "secret"): JsonObject => ({
  jsonrpc: "2.0",
  id,
  result: { content: [{ type: "text", text }] },
});
export const logged = (data: number | string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});
export const question = (id: string | number, method = "roots/list"): JsonObject => ({ jsonrpc: "2.0", id, method });
/** The id of an event as it is on the wire. */
export const idOf = (raw: string | undefined): string => /^id: (?<id>\S+)$/m.exec(raw ?? "")?.groups?.["id"] ?? "";
/** For what must not happen: it gets this long to happen. */
export const pause = (ms: number): Promise<"late"> => new Promise((resolve) => setTimeout(() => resolve("late"), ms));

type Stub = Record<string, (...args: unknown[]) => unknown>;

/** The objects of sessions, with every use of them told to `use` first. */
function watched(use: (property: string, name: string) => void): Pick<DurableObjectNamespace, "getByName"> {
  return {
    getByName(name: string) {
      const stub = env.SESSION.getByName(name) as unknown as Stub;
      const proxy = new Proxy(stub, {
        get:
          (_target, property) =>
          (...args: unknown[]) => {
            use(String(property), name);
            return stub[String(property)]?.(...args);
          },
      });
      return proxy as unknown as DurableObjectStub;
    },
  };
}

export class SessionWorld {
  harness!: Harness;
  tenant!: Tenant;
  agent!: { id: string; token: string; token_id: string };
  /** Events that neither the Queue nor the Outbox takes. */
  refuses: (event: AuditEvent) => boolean = () => false;
  /** What the Queue waits for before it takes an event. */
  before: (event: AuditEvent) => Promise<void> = () => Promise.resolve();
  /** How often the objects of sessions were used, by method; and the names of those objects. */
  readonly used = new Map<string, number>();
  readonly objects = new Set<string>();
  /** Whether lines to those objects can be opened. */
  hasLines = true;
  readonly #queue: Channel[] = [];
  readonly #waiting: ((channel: Channel) => void)[] = [];

  static async create(clock?: VirtualClock): Promise<SessionWorld> {
    const world = new SessionWorld();
    const bindings = { GATEHOUSE_KEYS: freshKeys(), ...world.#bindings() };
    world.harness = createHarness({ bindings, ...(clock === undefined ? {} : { ports: { clock } }) });
    world.tenant = await setUp(world.harness);
    const servers = [await world.tenant.addServer("old"), await world.tenant.addServer("other")];
    world.agent = await world.tenant.addClient(servers);
    world.serve("old");
    world.serve("other");
    return world;
  }

  #bindings(): Record<string, unknown> {
    const SESSION = watched((property, name) => {
      this.objects.add(name);
      this.used.set(property, (this.used.get(property) ?? 0) + 1);
      if (property === "fetch" && !this.hasLines) throw new Error("down");
    });
    const AUDIT = {
      send: async (event: AuditEvent) => {
        await this.before(event);
        if (this.refuses(event)) throw new Error("the Queue is full");
        await env.AUDIT.send(event);
        this.harness.events.push(event);
      },
    };
    const OUTBOX = {
      idFromName: (name: string) => env.OUTBOX.idFromName(name),
      get: (id: DurableObjectId) => ({
        put: async (events: AuditEvent[]) => {
          if (events.some(this.refuses)) throw new Error("the Outbox is unreachable");
          return env.OUTBOX.get(id).put(events);
        },
      }),
    };
    return { AUDIT, OUTBOX, SESSION };
  }

  /** @param answer in place of a call that stays open */
  serve(slug: string, options: LegacyOptions = {}, answer?: (seen: Seen) => LegacyAnswer): void {
    const upstream = legacyUpstream({ sessions, ...options }, (seen) => {
      if (answer !== undefined) return answer(seen);
      return seen.message["method"] === "tools/call" ? this.opened(seen) : {};
    });
    this.harness.serve(`${slug}.upstream.test`, upstream);
  }

  /** Answers with a stream that the test gets from `channel`. */
  readonly opened = (seen: Seen): Response => {
    const made = openChannel(seen);
    const taker = this.#waiting.shift();
    if (taker === undefined) this.#queue.push(made);
    else taker(made);
    return made.response;
  };

  /** The open streams, in the order in which they came. */
  channel(): Promise<Channel> {
    const made = this.#queue.shift();
    return made === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(made);
  }

  begin(path = "/mcp", more: { capabilities?: JsonObject; token?: string; version?: string } = {}) {
    const options = { token: this.agent.token, capabilities: everything, ...more };
    return LegacyClient.begin(this.harness, this.tenant.origin + path, options);
  }

  /** A call whose server has said `first` by now: with that its stream begins. */
  async calling(client: LegacyClient, first: JsonObject, id: string | number = 7, name = "old__tool") {
    const starting = client.stream("tools/call", { name }, id);
    const upstream = await this.channel();
    upstream.send(first);
    return { ...(await starting), upstream };
  }
}
