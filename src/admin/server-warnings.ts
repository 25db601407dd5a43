/** What a change of a server did besides what was asked for, in words for the administrator who made it. */
import { fitOf } from "../connections/index.ts";
import { isPersonal, type StoredServer } from "../registry/index.ts";
import type { NextSecrets } from "./server-secrets.ts";

export function warningsOfChange(
  dropped: NextSecrets["dropped"],
  before: StoredServer,
  after: StoredServer,
): readonly string[] {
  return [
    ...(dropped.credential ? [droppedCredential(after)] : []),
    ...dropped.headers.map(
      (name) =>
        `The stored secret of header ${name} was dropped, because it was given for another use. Send it again in "header_secrets".`,
    ),
    ...unusedAccounts(before, after),
    ...callersGone(before, after),
  ];
}

export const warningsOfCreation = (server: StoredServer): readonly string[] =>
  isPersonal(server.authentication) && server.agent_authentication.type === "passthrough" ? [passthroughAccounts] : [];

function droppedCredential({ authentication }: StoredServer): string {
  if (authentication.type === "none" || authentication.type === "passthrough") {
    return `The stored credential was dropped: authentication ${authentication.type} takes none.`;
  }
  if (isPersonal(authentication) && (authentication.type !== "oauth" || authentication.client_id === undefined)) {
    return "The stored credential of the organisation was dropped: from now on each person connects their own.";
  }
  return 'The stored credential was dropped, because it was not given for this address and authentication. Send it again as "credential".';
}

function unusedAccounts(before: StoredServer, after: StoredServer): readonly string[] {
  if (!isPersonal(before.authentication) || fitOf(before) === fitOf(after)) return [];
  if (isPersonal(after.authentication)) {
    return [
      "Accounts that people connected for this server are used no more, because they were connected for another address or authentication: each person has to connect theirs again.",
    ];
  }
  return [
    "Accounts that people connected for this server are used no more, and nobody is asked for one. They stay stored until people, or you, end them.",
  ];
}

const passthroughAccounts =
  "Nobody can connect an account for this server while agent authentication is passthrough. What is connected is used only for callers who send their token of Gatehouse in X-Gatehouse-Token, which the usual AI clients do not.";

/** A list that became shorter tells nobody why. */
function callersGone(before: StoredServer, after: StoredServer): readonly string[] {
  const { type } = after.agent_authentication;
  if (before.agent_authentication.type === type) {
    const isNewlyPersonal = isPersonal(after.authentication) && !isPersonal(before.authentication);
    return type === "passthrough" && isNewlyPersonal ? [passthroughAccounts] : [];
  }
  switch (type) {
    case "any":
      return [];
    case "interactive":
      return ["Machine clients do not see this server any more, neither in /mcp nor at its own endpoint."];
    case "machine":
      return [
        "People do not see this server any more, neither in /mcp nor at its own endpoint nor on the consent page: it is for machine clients only.",
      ];
    case "passthrough":
      return [
        `This server is not in /mcp any more, for nobody: its tools are at /mcp/${after.slug} only.`,
        ...(isPersonal(after.authentication) ? [passthroughAccounts] : []),
      ];
  }
}
