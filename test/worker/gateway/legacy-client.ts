/** A client of the 2025 revisions, as thin as it gets: what it sends is what a test says. */
import type { Json, JsonObject } from "../../../src/ports.ts";
import { EventReader } from "./channel.ts";
import { read, type Asked, type Harness } from "./support.ts";

export interface LegacyClientOptions {
  readonly token: string;
  readonly version?: string;
  readonly capabilities?: JsonObject;
  readonly headers?: Record<string, string>;
}

const both = "application/json, text/event-stream";

export class LegacyClient {
  readonly url: string;
  readonly harness: Harness;
  readonly options: LegacyClientOptions;
  session: string | undefined;
  initialized: Asked | undefined;
  #next_id = 0;

  constructor(harness: Harness, url: string, options: LegacyClientOptions) {
    this.harness = harness;
    this.url = url;
    this.options = options;
  }

  /** A client whose handshake is done. */
  static async begin(harness: Harness, url: string, options: LegacyClientOptions): Promise<LegacyClient> {
    const client = new LegacyClient(harness, url, options);
    await client.initialize();
    if (client.session === undefined) throw new Error(`no session: ${client.initialized?.text}`);
    await client.notify("notifications/initialized");
    return client;
  }

  async initialize(): Promise<Asked> {
    const { version = "2025-11-25", capabilities = {} } = this.options;
    const params = { protocolVersion: version, capabilities, clientInfo: { name: "old-client", version: "1.0.0" } };
    this.initialized = await this.request("initialize", params);
    this.session = this.initialized.headers.get("mcp-session-id") ?? undefined;
    return this.initialized;
  }

  init(method: string, body?: Json, headers: Record<string, string> = {}): RequestInit {
    const { token, version = "2025-11-25" } = this.options;
    return {
      method,
      headers: {
        accept: method === "GET" ? "text/event-stream" : both,
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(this.session === undefined ? {} : { "mcp-session-id": this.session }),
        ...(this.session === undefined || version < "2025-06-18" ? {} : { "mcp-protocol-version": version }),
        ...this.options.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
  }

  message(method: string, params?: JsonObject, id: string | number = (this.#next_id += 1)): JsonObject {
    return { jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) };
  }

  async request(method: string, params?: JsonObject, id?: string | number): Promise<Asked> {
    return read(await this.harness.fetch(this.url, this.init("POST", this.message(method, params, id))));
  }

  /** A request whose answer the test reads event by event. */
  async stream(method: string, params?: JsonObject, id?: string | number) {
    const opened = await this.harness.open(this.url, this.init("POST", this.message(method, params, id)));
    return { ...opened, events: new EventReader(opened.response) };
  }

  async post(body: Json): Promise<Response> {
    return this.harness.fetch(this.url, this.init("POST", body));
  }

  async notify(method: string, params?: JsonObject): Promise<number> {
    return (await this.post({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) })).status;
  }

  async get(headers: Record<string, string> = {}) {
    const opened = await this.harness.open(this.url, this.init("GET", undefined, headers));
    return { ...opened, events: new EventReader(opened.response) };
  }

  async delete(): Promise<number> {
    return (await this.harness.fetch(this.url, this.init("DELETE"))).status;
  }
}
