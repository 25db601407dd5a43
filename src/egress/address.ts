/**
 * The one rule for addresses that the gateway may call, whoever configured them and for whatever purpose. Everything is
 * checked on what `new URL()` made of the text, so that a spelling cannot hide an address, and the URL that was checked is the
 * one that is called. A public name that resolves to a private address is the platform's part: Workers have no private network.
 */
import type { Mode } from "../env.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { isIpv4, isIpv6, isPublicIpv4, isPublicIpv6 } from "./ranges.ts";

export interface EgressPolicy {
  readonly mode: Mode;
  /** Exact origins that the operator allows besides public https ones. */
  readonly origins: ReadonlySet<string>;
}

/** Top-level names of private networks (RFC 6761, RFC 6762, RFC 8375, ICANN's reserved ones) and of cloud metadata services. */
const privateNames =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|metadata\.goog)$/;

/** Public DNS services that answer with the address that is written in the name, or with loopback. */
const rebindingNames =
  /(?:^|\.)(?:nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me|vcap\.me|traefik\.me|lacolhost\.com|rbndr\.us|1u\.ms)$/;

/** Letters, digits, hyphen and underscore. `new URL()` also lets `$(x)` or `a;b` through, which some shell behind us may read. */
const dnsName = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

const httpsPorts: ReadonlySet<string> = new Set(["", "8443"]);

const operatorHint = "or ask the operator to list its origin in GATEHOUSE_EGRESS_ORIGINS.";

/** What is wrong when the predicate holds. No line repeats a part of the URL: it may hold a password or a key. */
type Rule = readonly [reason: string, broken: (url: URL) => boolean, detail: string];

const isName = (url: URL): boolean => !isIpv4(url.hostname) && !isIpv6(url.hostname);

/** Hold for every URL. */
const formRules: readonly Rule[] = [
  ["url_scheme", (url) => url.protocol !== "https:" && url.protocol !== "http:", "The URL must start with https://."],
  [
    "url_userinfo",
    (url) => url.username !== "" || url.password !== "",
    "The URL must not hold a user name or password: store them as the server's credential.",
  ],
];

/** Hold for every URL whose origin the operator has not listed. */
const placeRules: readonly Rule[] = [
  ["url_not_https", (url) => url.protocol !== "https:", `The URL must start with https://. Use https, ${operatorHint}`],
  ["url_port", (url) => !httpsPorts.has(url.port), `The port is not allowed. Use 443 or 8443, ${operatorHint}`],
  [
    "url_private_ipv4",
    (url) => isIpv4(url.hostname) && !isPublicIpv4(url.hostname),
    `The address is private or reserved. Use a public one, ${operatorHint}`,
  ],
  [
    "url_private_ipv6",
    (url) => isIpv6(url.hostname) && !isPublicIpv6(url.hostname),
    `The address is private or reserved. Use a public one, ${operatorHint}`,
  ],
  ["url_trailing_dot", (url) => url.hostname.endsWith("."), "The host name must not end with a dot: leave it out."],
  [
    "url_name",
    (url) => isName(url) && !dnsName.test(url.hostname),
    "The host name is not a DNS name: check its spelling.",
  ],
  [
    "url_private_name",
    (url) => isName(url) && privateNames.test(url.hostname),
    `The host name belongs to a private network. Use a public one, ${operatorHint}`,
  ],
  [
    "url_single_label",
    (url) => isName(url) && !url.hostname.includes("."),
    `The host name has a single label. Use the full public name, ${operatorHint}`,
  ],
  [
    "url_rebinding_name",
    (url) => rebindingNames.test(url.hostname),
    `The host name stands for an arbitrary address. Use the server's own name, ${operatorHint}`,
  ],
];

const refuse = (reason: string, detail: string): Result<never, Failure> =>
  err(failure("not_allowed_upstream", detail, { reason }));

function firstBroken(rules: readonly Rule[], url: URL): Rule | undefined {
  return rules.find(([, broken]) => broken(url));
}

function isLoopback({ hostname }: URL): boolean {
  if (isIpv4(hostname)) return hostname.startsWith("127.");
  return hostname === "[::1]" || hostname === "localhost" || hostname.endsWith(".localhost");
}

/**
 * Whether the gateway may call this URL: https to a public host on port 443 or 8443, or an origin that the operator listed,
 * or in development mode a loopback host on any port.
 * @param text as configured or as found in a document; nothing is trimmed or repaired
 * @returns the canonical URL, or `not_allowed_upstream` with a public sentence on what to do and a stable reason
 * @see MCP 2026-07-28 security best practices, "Server-Side Request Forgery"; RFC 6890
 */
export function checkUrl(text: string, policy: EgressPolicy): Result<URL, Failure> {
  if (text.length > limits.upstreamUrl_chars) {
    return refuse("url_too_long", `The URL must have at most ${limits.upstreamUrl_chars} characters.`);
  }
  // `new URL()` drops tabs and line breaks and trims spaces: two readers of one text would see two URLs.
  if (/[\p{Cc}\p{Zs}\\]/u.test(text))
    return refuse("url_characters", "The URL must not hold spaces or control characters.");
  if (text.includes("#"))
    return refuse("url_fragment", "The URL must not hold a fragment: leave out # and what follows.");
  const url = URL.parse(text);
  if (url === null)
    return refuse("url_invalid", "The URL is not valid: it must look like https://mcp.example.com/mcp.");

  const malformed = firstBroken(formRules, url);
  if (malformed !== undefined) return refuse(malformed[0], malformed[2]);
  if (policy.origins.has(url.origin)) return ok(url);
  if (policy.mode === "development" && isLoopback(url)) return ok(url);
  const misplaced = firstBroken(placeRules, url);
  return misplaced === undefined ? ok(url) : refuse(misplaced[0], misplaced[2]);
}
