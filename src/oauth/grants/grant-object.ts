/** The Durable Object of one grant: what may happen once, its code and each of its refresh tokens, happens here. */
import { DurableObject } from "cloudflare:workers";

export class Grant extends DurableObject<Env> {}
