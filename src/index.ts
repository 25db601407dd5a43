import { DurableObject } from "cloudflare:workers";
export class Tenant extends DurableObject {}
export class Outbox extends DurableObject {}
export class Ledger extends DurableObject {}
export default { fetch: () => new Response("ok") };
