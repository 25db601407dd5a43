/**
 * What may be registered as redirect URI at all, whoever registers it. Codes are sent there by a browser, so each rule holds on the
 * text as it stands and on what URL parsing makes of it: where the two differ, a check would look at another address than the
 * browser opens.
 * @see OAuth 2.1 section 2.3, RFC 8252 section 7, RFC 9700 section 4.1
 */
import { limits } from "../../limits.ts";

export interface RedirectProblem {
  /** Stable. */
  readonly reason: string;
  /** Public: what is wrong and what to write. */
  readonly sentence: string;
}

/** Characters of RFC 3986. A space, a backslash or a letter of another script is read differently by different parsers. */
const uriCharacters = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;
const form = /^(?<scheme>[a-z][a-z0-9+.-]+):(?<rest>\/.*)$/;

/** Schemes that run code, read files or start programs in place of opening an app's callback. */
const dangerousSchemes: ReadonlySet<string> = new Set([
  ...["javascript", "livescript", "mocha", "vbscript", "jscript", "data", "blob", "about", "view-source"],
  ...["file", "filesystem", "jar", "res", "resource", "mhtml", "mk", "cid", "mid", "content", "intent", "android-app"],
  ...["ws", "wss", "ftp", "ftps", "sftp", "ssh", "telnet", "ldap", "ldaps", "smb", "nfs", "dav", "davs", "gopher"],
  ...["mailto", "tel", "sms", "sip", "sips", "callto", "news", "nntp", "urn", "magnet", "steam"],
  ...["chrome", "edge", "opera", "brave", "devtools", "search", "search-ms", "shell", "hcp", "help"],
]);
const dangerousFamilies = /^(?:chrome|moz|safari|ms)-|^x-apple\.|script$/;

const loopbackNames = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

/** Members that the answer itself has. @see RFC 6749 section 4.1.2, RFC 9207 section 2 */
const answerMembers = ["code", "state", "iss", "error", "error_description", "error_uri"];

interface Candidate {
  readonly text: string;
  readonly scheme: string;
  /** What stands between `//` and the path; undefined where there is no `//`. */
  readonly authority: string | undefined;
  readonly url: URL;
}

/** A DNS name or an IPv6 address, perhaps with a port. */
const webAuthority = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::\d+)?$/;

type Broken = (candidate: Candidate) => boolean;

const isDangerous: Broken = ({ scheme, url }) =>
  dangerousSchemes.has(scheme) || dangerousFamilies.test(scheme) || url.protocol !== `${scheme}:`;
const hasFragment: Broken = ({ text, url }) => text.includes("#") || url.hash !== "";
const hasWildcard: Broken = ({ text }) => /\*|%2a/i.test(text);
const hasUserinfo: Broken = ({ authority, url }) =>
  authority?.includes("@") === true || url.username !== "" || url.password !== "";
const isRemoteHttp: Broken = ({ scheme, url }) => scheme === "http" && !loopbackNames.test(url.hostname);
const hasOddHost: Broken = ({ scheme, authority }) =>
  (scheme === "https" || scheme === "http") && !webAuthority.test(authority ?? "");
/** A URL of nothing but a host may be written without the slash that every browser adds. */
const isRewritten: Broken = ({ text, url }) =>
  url.href !== text && !(url.href === `${text}/` && url.pathname === "/" && url.search === "");
const hasAnswer: Broken = ({ url }) => answerMembers.some((name) => url.searchParams.has(name));

/** [whether it is broken, stable reason, what to write instead], in this order */
// prettier-ignore
const rules: readonly (readonly [Broken, string, string])[] = [
  [isDangerous,  "redirect_scheme",        "The scheme is not allowed: use https, http on loopback, or a scheme of your app"],
  [hasFragment,  "redirect_fragment",      "A fragment is not allowed: leave out everything from # on"],
  [hasWildcard,  "redirect_wildcard",      "A wildcard is not allowed: register each URL in full"],
  [hasUserinfo,  "redirect_userinfo",      "A user name or password is not allowed: leave out everything before the @"],
  [isRemoteHttp, "redirect_http",          "http is for localhost, 127.0.0.1 and [::1] only: use https"],
  [hasOddHost,   "redirect_host",          "The host is not written as a DNS name in lower case"],
  [isRewritten,  "redirect_not_as_parsed", "Write the URL as a browser shows it: no dot segments, default port or needless escapes"],
  [hasAnswer,    "redirect_answer_member", `The query must not hold ${answerMembers.join(", ")}: these are in the answer`],
];

/** @returns what is wrong with it, or undefined */
export function redirectProblem(text: string): RedirectProblem | undefined {
  if (text.length === 0 || text.length > limits.redirectUri_chars) {
    return problem("redirect_length", `A redirect URI has 1 to ${limits.redirectUri_chars} characters`);
  }
  if (!uriCharacters.test(text)) {
    return problem("redirect_characters", "A redirect URI has the characters of a URI only: percent-encode all others");
  }
  const { scheme, rest } = form.exec(text)?.groups ?? {};
  const url = URL.parse(text);
  if (scheme === undefined || rest === undefined || url === null) {
    return problem(
      "redirect_form",
      "A redirect URI is absolute, with its scheme in lower case: https://…, http://localhost/… or com.example.app:/…",
    );
  }
  const authority = /^\/\/(?<authority>[^/?#]*)/.exec(rest)?.groups?.["authority"];
  const candidate = { text, scheme, authority, url };
  const broken = rules.find(([isBroken]) => isBroken(candidate));
  return broken === undefined ? undefined : problem(broken[1], broken[2]);
}

const problem = (reason: string, sentence: string): RedirectProblem => ({ reason, sentence });
