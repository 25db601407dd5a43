/** The bindings, parsed once. What is wrong with the configuration is said early and by name, without its value. */
import { err, ok, type Result } from "./ports.ts";

export type Mode = "development" | "enterprise";

export interface Configuration {
  readonly mode: Mode;
  /** Hostname, lower case, to tenant id. */
  readonly hosts: ReadonlyMap<string, string>;
  /** `kid:base64url` of 32-byte key-encryption keys, the current one first; read by `vault/` only. */
  readonly keys: string;
  /** Presented once to `POST /api/v1/setup`; absent when set-up is closed. */
  readonly setupSecret: string | undefined;
  /** Origins that the operator allows besides public https ones, for instance a server on a private network. */
  readonly egressOrigins: ReadonlySet<string>;
}

const tenantId = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const hostname = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Secrets and optional variables, which `wrangler types` cannot know. */
export interface Settings {
  readonly GATEHOUSE_MODE?: string;
  readonly GATEHOUSE_TENANTS?: string;
  readonly GATEHOUSE_KEYS?: string;
  readonly GATEHOUSE_SETUP_SECRET?: string;
  readonly GATEHOUSE_EGRESS_ORIGINS?: string;
}

const words = (value: string | undefined): string[] => (value ?? "").split(/\s+/).filter((word) => word !== "");

/**
 * @returns the configuration, or a sentence that names the variable and what to do
 */
export function parseConfiguration(env: Settings): Result<Configuration, string> {
  const mode = env.GATEHOUSE_MODE === undefined || env.GATEHOUSE_MODE === "" ? "enterprise" : env.GATEHOUSE_MODE;
  if (mode !== "enterprise" && mode !== "development") {
    return err('GATEHOUSE_MODE must be "enterprise" or "development".');
  }

  const hosts = new Map<string, string>();
  for (const entry of words(env.GATEHOUSE_TENANTS ?? "default=localhost")) {
    const [id, host, ...rest] = entry.split("=");
    if (id === undefined || host === undefined || rest.length > 0 || !tenantId.test(id) || !hostname.test(host)) {
      return err("GATEHOUSE_TENANTS must hold `id=hostname` pairs in lower case, separated by spaces.");
    }
    if (hosts.has(host)) return err("GATEHOUSE_TENANTS names a hostname twice.");
    hosts.set(host, id);
  }

  const egressOrigins = new Set<string>();
  for (const entry of words(env.GATEHOUSE_EGRESS_ORIGINS)) {
    if (!URL.canParse(entry) || new URL(entry).origin !== entry) {
      return err("GATEHOUSE_EGRESS_ORIGINS must hold origins such as https://10.0.0.7:8443, separated by spaces.");
    }
    egressOrigins.add(entry);
  }

  if (
    env.GATEHOUSE_SETUP_SECRET !== undefined &&
    env.GATEHOUSE_SETUP_SECRET !== "" &&
    env.GATEHOUSE_SETUP_SECRET.length < 32
  ) {
    return err("GATEHOUSE_SETUP_SECRET must have at least 32 characters.");
  }
  return ok({
    mode,
    hosts,
    keys: env.GATEHOUSE_KEYS ?? "",
    setupSecret: env.GATEHOUSE_SETUP_SECRET === "" ? undefined : env.GATEHOUSE_SETUP_SECRET,
    egressOrigins,
  });
}
