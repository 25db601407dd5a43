/** The Durable Object of one foreign host: its documents are fetched by one request at a time, whoever wants them. */
import { DurableObject } from "cloudflare:workers";

export class Documents extends DurableObject<Env> {}
