/**
 * The way of a request on an MCP endpoint, step by step. Nothing of it is read before its sender is admitted; each step
 * narrows what the next one has to think of.
 */
import {
  admitClient,
  renewSnapshot,
  ruleOf,
  withChallenge,
  type Door,
  type PassthroughDoor,
} from "../admission/index.ts";
import { readBody } from "../body.ts";
import { toRpcResponse } from "../errors.ts";
import { limits } from "../limits.ts";
import {
  checkModern,
  classifyBodiless,
  classifyPosted,
  onlyMessage,
  parsePosted,
  type Posted,
} from "../protocol/index.ts";
import { currentSnapshot, type Snapshot } from "../tenant/index.ts";
import { exchangeOf, rejected, type Caller, type Front } from "./caller.ts";
import { dispatch } from "./dispatch.ts";
import {
  checkAccept,
  checkAcceptsBoth,
  checkContentType,
  checkLoop,
  checkMethod,
  checkOrigin,
  onlyPost,
} from "./guards.ts";
import { handleBodiless, handleLegacy } from "./legacy/index.ts";
import { decideServer } from "./permit.ts";

export async function handleMcp(request: Request, front: Front): Promise<Response> {
  const started_at = front.platform.ports.clock.now();
  const current = await currentSnapshot(front.platform, front.tenant.id);
  if (!current.ok) return toRpcResponse(current.error);
  const snapshot = current.value;

  const foreign = checkOrigin(request.headers, front.tenant, snapshot);
  if (foreign !== undefined) {
    front.countUnknown("origin");
    return toRpcResponse(foreign);
  }
  const { mode } = front.platform.configuration;
  const admitted = await admitClient(mode, snapshot, request.headers, doorOf(front, snapshot), started_at);
  if (!admitted.ok) {
    front.countUnknown(admitted.error.reason ?? admitted.error.code);
    return toRpcResponse(withChallenge(admitted.error, front.tenant.origin, front.endpoint.path));
  }
  const caller: Caller = {
    front,
    snapshot,
    principal: admitted.value,
    started_at,
    headers: request.headers,
    gone: request.signal,
  };

  const unfit = checkMethod(request) ?? checkLoop(request.headers);
  if (unfit !== undefined) return rejected(caller, { failure: unfit, size_bytes: 0 });
  return request.method === "POST" ? handlePost(request, caller) : handleWithoutBody(request, caller);
}

function doorOf(front: Front, snapshot: Snapshot): Door & { readonly passthrough: PassthroughDoor | undefined } {
  const { platform, tenant, endpoint } = front;
  const renew = () => renewSnapshot(platform, tenant.id);
  return { origin: tenant.origin, path: endpoint.path, renew, passthrough: passthroughDoorOf(front, snapshot) };
}

function passthroughDoorOf(front: Front, snapshot: Snapshot): PassthroughDoor | undefined {
  const { platform, tenant, endpoint, vault, fetch, source } = front;
  const server = endpoint.slug === undefined ? undefined : snapshot.servers.get(endpoint.slug);
  if (server === undefined || !server.enabled || ruleOf(server) === undefined) return undefined;
  return {
    server,
    inquirer: { platform, tenant, fetch, source },
    digest: (value) => vault.digest(tenant.id, value),
    reaches: (principal) =>
      decideServer({ platform, snapshot, principal, endpoint }, server.slug).permitted !== undefined,
  };
}

async function handlePost(request: Request, caller: Caller): Promise<Response> {
  const unfit = checkContentType(request) ?? checkAccept(request);
  if (unfit !== undefined) return rejected(caller, { failure: unfit, size_bytes: 0 });
  const body = await readBody(request, limits.mcpBody_bytes, caller.front.platform.ports.clock);
  if (!body.ok) return rejected(caller, { failure: body.error, size_bytes: 0 });
  const size_bytes = body.value.byteLength;
  const posted = parsePosted(body.value);
  if (!posted.ok) return rejected(caller, { ...posted.error, size_bytes });
  return classifyPosted(posted.value, request.headers) === "modern"
    ? handleModern(caller, posted.value, size_bytes)
    : handleLegacy(caller, posted.value, size_bytes);
}

async function handleModern(caller: Caller, posted: Posted, size_bytes: number): Promise<Response> {
  const read = onlyMessage(posted);
  if (!read.ok) return rejected(caller, { ...read.error, size_bytes });
  const message = read.value;
  const unfit = checkAcceptsBoth(caller.headers);
  if (unfit !== undefined) return rejected(caller, { failure: unfit, size_bytes });
  // 2026-07-28 defines no notification from clients over HTTP: it is taken and goes nowhere.
  if (message.kind === "notification") return new Response(null, { status: 202 });
  const { id, method } = message;
  const checked = checkModern(message, caller.headers);
  if (!checked.ok) return rejected(caller, { failure: checked.error, size_bytes, id, method });
  const exchange = exchangeOf(caller, checked.value, size_bytes);
  // MCP 2026-07-28 "Cancellation": closing the connection is one.
  if (caller.gone.aborted) exchange.abandon();
  else caller.gone.addEventListener("abort", () => exchange.abandon(), { once: true });
  return dispatch(exchange);
}

/** 2026-07-28 has no GET stream and no session to DELETE. */
function handleWithoutBody(request: Request, caller: Caller): Promise<Response> {
  return classifyBodiless(request.headers) === "modern"
    ? rejected(caller, { failure: onlyPost, size_bytes: 0 })
    : handleBodiless(request.method, caller);
}
