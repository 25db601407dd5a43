/** Whether the secrets of a request fit what they are for. No sentence repeats a part of one. */
import type { Failure } from "../errors.ts";
import { isPersonal, type ClientAuthentication, type ClientSecret } from "../registry/index.ts";
import type { ServerWish } from "./server-wish.ts";
import { invalidField } from "./validation.ts";

export function checkCredential({ authentication, credential }: ServerWish): Failure | undefined {
  if (credential === undefined || credential === null) return undefined;
  if (authentication.type === "none" || authentication.type === "passthrough") {
    return invalidField("credential", `authentication ${authentication.type} takes no credential`);
  }
  if (authentication.type !== "oauth" && isPersonal(authentication)) {
    return invalidField("credential", "each person gives their own: set authentication.holder to organisation");
  }
  if (credential.type !== authentication.type) {
    return invalidField("credential.type", `must be ${authentication.type}, as in authentication`);
  }
  if (authentication.type === "headers" && credential.type === "headers") {
    if (credential.values.length === authentication.headers.length) return undefined;
    return invalidField("credential.values", "must have one value for each of authentication.headers");
  }
  if (credential.type === "oauth" && authentication.type === "oauth") {
    if (authentication.client_id === undefined) {
      return invalidField("credential", "needs authentication.client_id: the client that it belongs to");
    }
    return checkClientSecret("credential", credential, authentication.client_authentication);
  }
  if (credential.type === "client_credentials" && authentication.type === "client_credentials") {
    return checkClientSecret("credential", credential, authentication.client_authentication);
  }
  return undefined;
}

/**
 * A secret or a private key, as the client authenticates at the token endpoint.
 * @param how undefined where a secret decides it
 */
export function checkClientSecret(
  path: string,
  { client_secret, private_key, algorithm, key_id }: ClientSecret,
  how: ClientAuthentication | undefined,
): Failure | undefined {
  if (how === "none") return invalidField(path, "client_authentication none takes no secret");
  if ((client_secret === undefined) === (private_key === undefined)) {
    return invalidField(path, "needs client_secret or private_key, and not both");
  }
  if (how === "private_key_jwt" && private_key === undefined) {
    return invalidField(`${path}.private_key`, "is needed for client_authentication private_key_jwt");
  }
  if (how !== "private_key_jwt" && private_key !== undefined) {
    return invalidField(`${path}.private_key`, "needs client_authentication private_key_jwt");
  }
  if (private_key !== undefined && algorithm === undefined) {
    return invalidField(`${path}.algorithm`, "is needed with private_key");
  }
  if (private_key === undefined && (algorithm !== undefined || key_id !== undefined)) {
    return invalidField(path, "algorithm and key_id belong to a private_key");
  }
  return undefined;
}
