/** Who may call what, before anything of the request is read. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { AdminDependencies } from "./dependencies.ts";
import { isMutating, type Access } from "./route.ts";

const notSetUp = failure(
  "unauthenticated",
  "This tenant is not set up. Send POST /api/v1/setup with the set-up secret of the deployment first.",
  { reason: "not_initialised" },
);

const notAnAdministrator = failure("forbidden", "Only an administrator may do this", {
  reason: "not_an_administrator",
});

export function checkAccess(access: Access, method: string, admin: AdminDependencies): Result<void, Failure> {
  if (access !== "administrator") return ok(undefined);
  if (!admin.initialised && admin.mode === "enterprise") return err(notSetUp);
  const { principal } = admin;
  if (principal === undefined) return err(admin.admissionFailure ?? failure("unauthenticated"));
  // Admission hands over administrators only; the token of a client must not work here even if that changed.
  if (principal.kind !== "administrator" && principal.kind !== "development") return err(notAnAdministrator);
  if (admin.readonly === true && isMutating(method)) return err(notAnAdministrator);
  return ok(undefined);
}
