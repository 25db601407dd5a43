/** What a person can connect an account or a key of their own to: servers, and credentials that headers of servers are made of. */
import { openDatabase } from "../../db/index.ts";
import { isPersonal, type Server } from "../../registry/index.ts";
import { fitOf, fitOfCredential } from "../fit.ts";
import { storedCredentialsRepository } from "../stored-credentials.ts";
import type { Base } from "../types.ts";
import { connectPath, reachableServers, type Person } from "./reachable.ts";

type World = Pick<Base, "platform" | "tenant" | "snapshot">;

/** `oauth`: at the provider. All others are pasted. */
export type LinkKind = "oauth" | "bearer" | "basic" | "api_key" | "credential";

export interface LinkTarget {
  /** As connections name it. */
  readonly target: string;
  readonly kind: LinkKind;
  /** Of the page where it is connected. */
  readonly path: string;
  readonly name: string;
  /** Host of the server; undefined for a credential. */
  readonly host: string | undefined;
  readonly hint: string | undefined;
  /** Undefined for a credential. */
  readonly server: Server | undefined;
  /** Servers that use a credential: what the person gives goes to these addresses, and to no other. */
  readonly uses: readonly Server[];
  /** The same for people: by name and host. */
  readonly usedBy: readonly string[];
  /** What a connection that is made now is made for. */
  readonly fit: string;
}

export const serverName = ({ name, slug }: Pick<Server, "name" | "slug">): string => (name === "" ? slug : name);

/** @returns undefined for a server that needs nothing of its own from people */
export function serverTarget(server: Server): LinkTarget | undefined {
  const { authentication } = server;
  if (!isPersonal(authentication)) return undefined;
  return {
    target: server.id,
    kind: kindOf(authentication.type),
    path: connectPath(server.slug),
    name: serverName(server),
    host: URL.parse(server.url)?.host,
    hint: "hint" in authentication ? authentication.hint : undefined,
    server,
    ...{ uses: [], usedBy: [] },
    fit: fitOf(server),
  };
}

function kindOf(type: Server["authentication"]["type"]): LinkKind {
  if (type === "oauth" || type === "bearer" || type === "basic") return type;
  return "api_key";
}

const credentialIds = ({ outbound_headers }: Server): readonly string[] =>
  outbound_headers.flatMap((header) => (header.source === "stored_credential" ? [header.credential_id] : []));

/** The credentials that headers of these servers need each person's own of. */
export async function credentialTargets(base: World, servers: readonly Server[]): Promise<LinkTarget[]> {
  const ids = [...new Set(servers.flatMap(credentialIds))];
  if (ids.length === 0) return [];
  const repository = storedCredentialsRepository(openDatabase(base.platform.bindings.DB), base.tenant.id);
  const found = await Promise.all(ids.map((id) => repository.get(id)));
  return found.flatMap((credential): LinkTarget[] => {
    if (credential === undefined || credential.holder !== "user") return [];
    const { id, name, hint } = credential;
    const uses = servers.filter((server) => credentialIds(server).includes(id));
    return [
      {
        ...{ target: `credential:${id}`, kind: "credential", path: `/connect/credentials/${id}`, name },
        ...{ host: undefined, hint: hint === "" ? undefined : hint, server: undefined, uses },
        usedBy: uses.map((server) => `${serverName(server)} (${new URL(server.url).host})`),
        fit: fitOfCredential(uses),
      },
    ];
  });
}

/**
 * All of one server: its own, then those of its headers.
 * @param among the servers that may use the same credentials: whoever is asked for one is told of all of them
 */
export async function targetsOfServer(
  base: World,
  server: Server,
  among: readonly Server[] = [server],
): Promise<LinkTarget[]> {
  const own = serverTarget(server);
  const credentials = (await credentialTargets(base, among)).filter(({ uses }) => uses.includes(server));
  return [...(own === undefined ? [] : [own]), ...credentials];
}

/** Everything that this person can connect, in the order of slugs; credentials stand at the end. */
export async function targetsOf(base: World, person: Person): Promise<LinkTarget[]> {
  const servers = reachableServers(base, person);
  return [
    ...servers.map(serverTarget).filter((target) => target !== undefined),
    ...(await credentialTargets(base, servers)),
  ];
}

/** @param target as connections name it */
export async function findTarget(base: World, person: Person, target: string): Promise<LinkTarget | undefined> {
  const servers = reachableServers(base, person);
  if (target.startsWith("credential:")) {
    return (await credentialTargets(base, servers)).find((one) => one.target === target);
  }
  const server = servers.find(({ id }) => id === target);
  return server === undefined ? undefined : serverTarget(server);
}
