/** `prompt` where a person connects one of several accounts. */
import { expect, it } from "vitest";
import { authorizationUrl } from "../../../src/connections/oauth/index.ts";
import type { Party } from "../../../src/connections/types.ts";

const party: Party = {
  ...{ issuer: "https://as.test", authorization_endpoint: "https://as.test/authorize" },
  ...{ token_endpoint: "https://as.test/token", client_id: "c", client_authentication: "none", secret: {} },
  ...{ names_issuer: false, resource: null, how: "configured" },
  redirect_uri: "https://a.gw.test/connect/up/callback",
};
const asked = { state: "s", verifier: "v".repeat(43), scopes: ["a"] };

const parametersOf = async (subject: Party, more = {}): Promise<Record<string, string>> =>
  Object.fromEntries((await authorizationUrl(subject, { ...asked, ...more })).searchParams);

it("U10: has a person choose among accounts where the provider offers that, and nowhere else", async () => {
  const openid: Party = { ...party, lets_choose_account: true };
  const chooses = { choosesAccount: true };
  expect(await parametersOf(openid, chooses)).toMatchObject({ prompt: "select_account" });
  expect(await parametersOf(openid)).not.toHaveProperty("prompt");
  expect(await parametersOf(party, chooses)).not.toHaveProperty("prompt");
  const parameters = { prompt: "login" };
  expect(await parametersOf(openid, { ...chooses, parameters })).toMatchObject(parameters);
  const offline = { ...openid, scopes_supported: ["a", "offline_access"] };
  const scopes = ["a", "offline_access"];
  // One value: some providers refuse a request with two.
  expect(await parametersOf(offline, { ...chooses, scopes })).toMatchObject({ prompt: "consent" });
});
