/** A point in time, as a date that sorts and as a phrase that people say. */
import type { JSX } from "hono/jsx/jsx-runtime";

const units = [
  ["year", 365 * 24 * 3_600_000],
  ["month", 30 * 24 * 3_600_000],
  ["day", 24 * 3_600_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

const phrases = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** @param at and @param now milliseconds since the Unix epoch */
function relativePhrase(at: number, now: number): string {
  const distance = at - now;
  const unit = units.find(([, length_ms]) => Math.abs(distance) >= length_ms);
  if (unit === undefined) return "just now";
  return phrases.format(Math.round(distance / unit[1]), unit[0]);
}

/** Null is shown as "never". */
export function Moment({ at, now }: { readonly at: number | null; readonly now: number }): JSX.Element {
  if (at === null) return <span class="muted">never</span>;
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso}>
      {`${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`} <span class="muted">({relativePhrase(at, now)})</span>
    </time>
  );
}
