/** Who may call what, before anything of the request is read. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import type { Access } from "./route.ts";

const notSetUp = failure(
  "unauthenticated",
  "This tenant is not set up. Send POST /api/v1/setup with the set-up secret of the deployment first.",
  { reason: "not_initialised" },
);

export function checkAccess(access: Access, admin: AdminDependencies): Result<void, Failure> {
  if (access !== "administrator") return ok(undefined);
  if (!admin.initialised && admin.mode === "enterprise") return err(notSetUp);
  const { principal } = admin;
  if (principal === undefined) return err(admin.admissionFailure ?? failure("unauthenticated"));
  // Admission hands over administrators only; a client's token must not work here even if that changed.
  if (principal.kind === "client") return err(failure("forbidden", undefined, { reason: "not_an_administrator" }));
  return ok(undefined);
}
