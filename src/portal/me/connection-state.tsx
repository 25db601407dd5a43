/** The states of a connection in words, the same for people and for administrators. */
import type { JSX } from "hono/jsx/jsx-runtime";
import type { ConnectionState } from "../../connections/index.ts";
import { Badge } from "../design/index.ts";

const words = {
  linked: { tone: "good", text: "Connected" },
  needs_reauth: { tone: "warning", text: "Must be connected again" },
  needs_update: { tone: "warning", text: "Server changed: connect again" },
  orphaned: { tone: undefined, text: "Not used any more" },
} as const satisfies Record<ConnectionState, object>;

export function stateBadge(state: ConnectionState): JSX.Element {
  const { tone, text } = words[state];
  return <Badge {...(tone === undefined ? {} : { tone })}>{text}</Badge>;
}
