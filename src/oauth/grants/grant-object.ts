/**
 * The Durable Object of one grant, named `{tenant}:{grant id}`: what may happen once, its code and each of its refresh tokens,
 * happens here. D1 says whose grant it is and whether it was revoked; only the Worker can reach this object, after it asked D1.
 */
import { DurableObject } from "cloudflare:workers";
import * as z from "zod";
import type { Clock } from "../../ports.ts";
import { systemPorts } from "../../system-ports.ts";
import {
  forgottenAt,
  redeem,
  rotate,
  type GrantState,
  type NewGrant,
  type Redeemed,
  type Redemption,
  type Rotated,
  type Rotation,
  type Step,
} from "./grant-state.ts";

const generation = { generation: z.int().positive(), nonce: z.string() };

const stateSchema = z.discriminatedUnion("phase", [
  z.strictObject({
    phase: z.literal("open"),
    code_nonce: z.string(),
    code_challenge: z.string(),
    code_expires_at: z.int(),
  }),
  z.strictObject({
    phase: z.literal("redeemed"),
    code_nonce: z.string(),
    ends_at: z.int(),
    current: z.strictObject(generation).nullable(),
    previous: z.strictObject({ ...generation, rotated_at: z.int(), sealed: z.string() }).nullable(),
  }),
  z.strictObject({ phase: z.literal("ended") }),
]) satisfies z.ZodType<GrantState>;

/**
 * `foresee` tells what `take` would and moves nothing, so that all that can fail is done before the move: who is told to come again must
 * find the code or the refresh token as good as it was. What ends the grant ends it either way.
 */
export type Move = "foresee" | "take";

/** Times are the caller's: milliseconds since the Unix epoch. */
export class Grant extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Pick<Clock, "now"> = systemPorts.clock;

  /** @returns false when it was made before: a request is approved once */
  async create(grant: NewGrant, now: number): Promise<boolean> {
    if (this.#read() !== undefined) return false;
    await this.#write({ phase: "open", ...grant }, now);
    return true;
  }

  /** @param step see `Move` */
  redeem(redemption: Redemption, now: number, step: Move = "take"): Promise<Redeemed> {
    return this.#step((state) => redeem(state, redemption, now), "unknown", now, step);
  }

  rotate(rotation: Rotation, now: number, step: Move = "take"): Promise<Rotated> {
    return this.#step((state) => rotate(state, rotation, now), { kind: "unknown" }, now, step);
  }

  async end(now: number): Promise<void> {
    if (this.#read() !== undefined) await this.#write({ phase: "ended" }, now);
  }

  override async alarm(): Promise<void> {
    const state = this.#read();
    const now = this.clock.now();
    // An ended one stays until its code is of no use; the time of that is the alarm's own.
    const rest_ms = state === undefined || state.phase === "ended" ? 0 : forgottenAt(state, now) - now;
    if (rest_ms > 0) await this.ctx.storage.setAlarm(now + rest_ms);
    else await this.ctx.storage.deleteAll();
  }

  /** Reading, deciding and writing have nothing to wait for between them, so no other request gets between. */
  async #step<T>(decide: (state: GrantState) => Step<T>, absent: T, now: number, move: Move): Promise<T> {
    const known = this.#read();
    if (known === undefined) return absent;
    const { state, outcome } = decide(known);
    if (state !== undefined && (move === "take" || state.phase === "ended")) await this.#write(state, now);
    return outcome;
  }

  #read(): GrantState | undefined {
    const stored = this.ctx.storage.kv.get("state");
    return stored === undefined ? undefined : stateSchema.parse(stored);
  }

  #write(state: GrantState, now: number): Promise<void> {
    this.ctx.storage.kv.put("state", state);
    return this.ctx.storage.setAlarm(forgottenAt(state, now));
  }
}
