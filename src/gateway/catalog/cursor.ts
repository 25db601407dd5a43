/**
 * The cursor of the aggregate: the position in the one order that all its lists have, sealed for one principal, endpoint and
 * method. It names no upstream's cursor, so it holds whatever the servers do meanwhile.
 */
import * as z from "zod";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Json, type Result } from "../../ports.ts";
import type { Exchange } from "../exchange.ts";
import type { Position } from "./pages.ts";

const purpose = "cursor";

const payloadSchema = z.object({
  principal: z.string(),
  endpoint: z.string(),
  method: z.string(),
  after: z.object({ slug: z.string(), key: z.string(), index: z.int().nonnegative() }),
});

const foreign = failure("invalid_params", "The cursor is not valid", { reason: "foreign_cursor" });

export function sealCursor(exchange: Exchange, { slug, key, index }: Position): Promise<string> {
  const expires_at = exchange.platform.ports.clock.now() + limits.listCursor_ms;
  const payload = { ...bindingOf(exchange), after: { slug, key, index } };
  return exchange.vault.sealHandle(purpose, exchange.tenant.id, payload, expires_at);
}

/** @returns undefined without a cursor; `invalid_params` for one that is not of this principal, endpoint and method, or is old */
export async function openCursor(
  exchange: Exchange,
  cursor: Json | undefined,
): Promise<Result<Position | undefined, Failure>> {
  if (cursor === undefined) return ok(undefined);
  if (typeof cursor !== "string") return err(foreign);
  const opened = await exchange.vault.openHandle(purpose, exchange.tenant.id, cursor);
  const payload = opened.ok ? payloadSchema.safeParse(opened.value).data : undefined;
  if (payload === undefined) return err(foreign);
  const { principal, endpoint, method } = bindingOf(exchange);
  const isOwn = payload.principal === principal && payload.endpoint === endpoint && payload.method === method;
  return isOwn ? ok(payload.after) : err(foreign);
}

const bindingOf = ({ principal, endpoint, request }: Exchange) => ({
  principal: principal.id,
  endpoint: endpoint.path,
  method: request.methodName,
});
