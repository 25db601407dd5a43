/**
 * What an upstream lets the client carry — the state of a call that asks for input, the id of a task — goes out sealed and
 * bound to its owner, so that another principal, server or request cannot use it (MC-26).
 */
import { sessionNameOf } from "../admission/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import type { Exchange } from "./exchange.ts";

const requestState = "request-state";
const task = "task";

const notYours = (reason: string): Failure =>
  failure("invalid_params", "requestState is not valid for this request", { reason });

/** @see MCP 2026-07-28 MRTR, "Server Requirements": principal, expiry and the originating request are inside */
export async function sealRequestState(
  exchange: Exchange,
  server_id: string,
  upstreamState: string,
  life_ms: number = limits.requestState_ms,
): Promise<string> {
  const expires_at = exchange.platform.ports.clock.now() + life_ms;
  const payload = { ...(await bindingOf(exchange, server_id)), state: upstreamState };
  return exchange.vault.sealHandle(requestState, exchange.tenant.id, payload, expires_at);
}

/** @returns the upstream's own state */
export async function openRequestState(
  exchange: Exchange,
  server_id: string,
  handle: string,
): Promise<Result<string, Failure>> {
  const opened = await exchange.vault.openHandle(requestState, exchange.tenant.id, handle);
  if (!opened.ok) return err(notYours(opened.error.reason ?? "handle_invalid"));
  const { state, ...binding } = opened.value;
  const expected = await bindingOf(exchange, server_id);
  const same = Object.entries(expected).every(([member, value]) => binding[member] === value);
  return same && typeof state === "string" ? ok(state) : err(notYours("handle_not_yours"));
}

async function bindingOf(exchange: Exchange, server_id: string): Promise<Record<string, string>> {
  return {
    principal: sessionNameOf(exchange.principal),
    server: server_id,
    method: exchange.request.methodName,
    name: exchange.request.name ?? "",
    arguments: await exchange.vault.digest(exchange.tenant.id, canonical(exchange.request.params["arguments"] ?? null)),
  };
}

/** JSON with members in one order: clients may write the arguments of a retry in another. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((member) => `${JSON.stringify(member)}:${canonical(value[member] ?? null)}`).join(",")}}`;
}

export interface TaskHandle {
  readonly server_id: string;
  readonly task_id: string;
}

export async function sealTask(exchange: Exchange, handle: TaskHandle): Promise<string> {
  const expires_at = exchange.platform.ports.clock.now() + limits.taskHandle_ms;
  const payload: JsonObject = {
    principal: sessionNameOf(exchange.principal),
    server: handle.server_id,
    task: handle.task_id,
  };
  return exchange.vault.sealHandle(task, exchange.tenant.id, payload, expires_at);
}

/** @returns undefined for what is no task of this principal */
export async function openTask(exchange: Exchange, handle: string): Promise<TaskHandle | undefined> {
  const opened = await exchange.vault.openHandle(task, exchange.tenant.id, handle);
  if (!opened.ok) return undefined;
  const { principal, server: server_id, task: task_id } = opened.value;
  if (principal !== sessionNameOf(exchange.principal) || typeof server_id !== "string" || typeof task_id !== "string") {
    return undefined;
  }
  return { server_id, task_id };
}
