/** Does what a request asks, once, and makes it known before it is answered: announcement, then event. */
import type { AuditEvent } from "../audit/index.ts";
import { failure, toProblem, type ErrorCode, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import { changeEvent } from "./change-event.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { Answer, IdempotentRequest, Remembered } from "./idempotency.ts";
import { isMutating, type Call, type Done, type Route } from "./route.ts";

/** Reason of a failure to announce or record: trying to record that as well would be in vain. */
export const unrecorded = "change_not_settled";

/** Failures after which nothing has happened and the same request may well succeed: their keys are not used up. */
const transient: ReadonlySet<ErrorCode> = new Set(["unavailable", "sealed", "audit_unavailable"]);

const stored = (code: ErrorCode, keyed: boolean): Failure =>
  failure(
    code,
    keyed
      ? "The change is stored but could not be announced and recorded. Repeat the request with the same Idempotency-Key."
      : "The change is stored but could not be announced and recorded. Read the resource before you repeat the request; with an Idempotency-Key it could be repeated as it is.",
    { reason: unrecorded, headers: { "retry-after": "1" } },
  );

const undone = (code: ErrorCode): Failure =>
  failure(code, "The change could not be announced and recorded and was taken back. Repeat the request.", {
    reason: unrecorded,
    headers: { "retry-after": "1" },
  });

/** Without Idempotency-Key. */
export async function perform(route: Route, call: Call<never, never>): Promise<Result<Answer, Failure>> {
  const ran = await route.run(call);
  if (!ran.ok) return ran;
  const done = ran.value;
  const settled = await settle(route, call.admin, eventOf(route, call, done));
  if (settled.ok) return ok(answerOf(done));
  if (!isMutating(route.method)) return err(failure(settled.error, undefined, { reason: unrecorded }));
  if (done.undo === undefined) return err(stored(settled.error, false));
  await done.undo();
  return err(undone(settled.error));
}

/** With Idempotency-Key: the first request does it, the others get its answer. */
export async function performOnce(
  route: Route,
  call: Call<never, never>,
  once: IdempotentRequest,
): Promise<Result<Answer, Failure>> {
  const attempt = await once.begin();
  if (!attempt.ok) return attempt;
  if (attempt.value.state === "done") return replay(route, call, attempt.value.remembered.answer);
  if (attempt.value.state === "unsettled") {
    const { remembered } = attempt.value;
    const finished = await finish(route, call.admin, once, remembered);
    return finished.ok ? ok(replayed(remembered.answer)) : finished;
  }

  const ran = await route.run(call);
  if (!ran.ok) {
    if (transient.has(ran.error.code)) await once.release();
    else await once.remember({ answer: await problemAnswer(ran.error) }, "settled");
    return ran;
  }
  const done = ran.value;
  const remembered = { answer: answerOf(done), event: eventOf(route, call, done) };
  await once.remember(remembered, "in flight");
  const finished = await finish(route, call.admin, once, remembered);
  if (finished.ok || done.undo === undefined) return finished;
  await done.undo();
  await once.release();
  return err(undone(finished.error.code));
}

async function finish(
  route: Route,
  admin: AdminDependencies,
  once: IdempotentRequest,
  remembered: Remembered,
): Promise<Result<Answer, Failure>> {
  const settled = await settle(route, admin, remembered.event);
  await once.remember(remembered, settled.ok ? "settled" : "unsettled");
  return settled.ok ? ok(remembered.answer) : err(stored(settled.error, true));
}

/** @returns which of the two failed, as the code of the answer */
async function settle(
  route: Route,
  admin: AdminDependencies,
  event: AuditEvent | undefined,
): Promise<Result<void, ErrorCode>> {
  if (isMutating(route.method)) {
    const announced = await admin.announce();
    if (!announced.ok) return err("unavailable");
  }
  if (event !== undefined) {
    const recorded = await admin.record(event);
    if (!recorded.ok) return err("audit_unavailable");
  }
  return ok(undefined);
}

function eventOf(route: Route, call: Call<never, never>, done: Done): AuditEvent | undefined {
  if (!isMutating(route.method) && route.audited !== true) return undefined;
  return changeEvent(call.admin, call.now, {
    action: route.action,
    outcome: "ok",
    resourceId: done.resourceId,
    fields: done.fields,
    agent: done.agent,
  });
}

function answerOf(done: Done): Answer {
  return {
    status: done.status,
    headers: {
      ...(done.body === undefined ? {} : { "content-type": "application/json" }),
      ...(done.etag === undefined ? {} : { etag: done.etag }),
      ...(done.location === undefined ? {} : { location: done.location }),
    },
    body: done.body === undefined ? null : JSON.stringify(done.body),
  };
}

async function problemAnswer(failed: Failure): Promise<Answer> {
  const problem = toProblem(failed);
  return { status: problem.status, headers: Object.fromEntries(problem.headers), body: await problem.text() };
}

/** A repeated success is no second change and needs no second event; a repeated refusal is a refusal. */
async function replay(route: Route, call: Call<never, never>, answer: Answer): Promise<Result<Answer, Failure>> {
  if (answer.status < 400) return ok(replayed(answer));
  const act = { action: route.action, outcome: "refused", reason: "idempotent_replay" } as const;
  const recorded = await call.admin.record(changeEvent(call.admin, call.now, act));
  return recorded.ok ? ok(replayed(answer)) : err(failure("audit_unavailable", undefined, { reason: unrecorded }));
}

const replayed = (answer: Answer): Answer => ({
  ...answer,
  headers: { ...answer.headers, "idempotent-replayed": "true" },
});
