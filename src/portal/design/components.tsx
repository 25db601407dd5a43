/** The small parts of which pages are made. Each takes text, never markup of others: JSX escapes it. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { formTokenField } from "../../login/index.ts";

export function Card({ children, label }: { readonly children?: Child; readonly label?: string }): JSX.Element {
  if (label === undefined) return <div class="card stack">{children}</div>;
  return (
    <section class="card stack" aria-label={label}>
      {children}
    </section>
  );
}

/** quiet: looks like a link. */
type Look = "primary" | "danger" | "quiet" | "plain";

const looks: Readonly<Record<Look, string>> = {
  primary: "button button-primary",
  danger: "button button-danger",
  quiet: "button button-quiet button-inline",
  plain: "button",
};

interface ButtonProps {
  readonly look?: Look;
  readonly name?: string;
  readonly value?: string;
  /** Says what it acts on, where the same words stand more than once on a page. */
  readonly label?: string;
  readonly children?: Child;
}

export function Button({ look = "plain", name, value, label, children }: ButtonProps): JSX.Element {
  return (
    <button class={looks[look]} type="submit" name={name} value={value} aria-label={label}>
      {children}
    </button>
  );
}

export function ButtonLink(props: {
  readonly href: string;
  readonly look?: Look;
  readonly children?: Child;
}): JSX.Element {
  return (
    <a class={looks[props.look ?? "plain"]} href={props.href}>
      {props.children}
    </a>
  );
}

/** A form that changes something: always POST, always with the token of the session. */
export function Form(props: {
  readonly action: string;
  readonly formToken: string;
  readonly label?: string;
  readonly children?: Child;
}): JSX.Element {
  return (
    <form class="stack" method="post" action={props.action} aria-label={props.label}>
      <input type="hidden" name={formTokenField} value={props.formToken} />
      {props.children}
    </form>
  );
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly value?: string;
  readonly chars_max: number;
  readonly required?: boolean;
  /** What is typed is not shown, and never comes back in the page. */
  readonly secret?: boolean;
}

export function Field(props: FieldProps): JSX.Element {
  const { name, label, hint, error, chars_max, required = false, secret = false } = props;
  const value = secret ? undefined : props.value;
  const described = [hint === undefined ? [] : [`${name}-hint`], error === undefined ? [] : [`${name}-error`]].flat();
  return (
    <div class="field">
      <label for={name}>{label}</label>
      {hint === undefined ? null : (
        <p class="muted small" id={`${name}-hint`}>
          {hint}
        </p>
      )}
      <input
        id={name}
        name={name}
        type={secret ? "password" : "text"}
        autocomplete="off"
        value={value}
        maxlength={chars_max}
        required={required}
        aria-invalid={error === undefined ? undefined : "true"}
        aria-describedby={described.length === 0 ? undefined : described.join(" ")}
      />
      {error === undefined ? null : (
        <p class="field-error" id={`${name}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

type Tone = "info" | "good" | "warning" | "danger";

export function Notice(props: {
  readonly tone: Tone;
  readonly title?: string;
  readonly children?: Child;
}): JSX.Element {
  return (
    <div class={`notice notice-${props.tone}`} role={props.tone === "danger" ? "alert" : "note"}>
      {props.title === undefined ? null : <p class="notice-title">{props.title}</p>}
      {props.children}
    </div>
  );
}

export function Badge(props: {
  readonly tone?: "good" | "warning" | "danger";
  readonly children?: Child;
}): JSX.Element {
  return <span class={props.tone === undefined ? "badge" : `badge badge-${props.tone}`}>{props.children}</span>;
}

/** Names and what is known under them. */
export function Facts({ rows }: { readonly rows: readonly (readonly [name: string, value: Child])[] }): JSX.Element {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

/**
 * @param rows cells in the order of `columns`; the first names the row
 * @param stacks each row is a block of its own where the page is narrow. Roles are written out, since browsers forget those of a table that
 *   is not laid out as one.
 */
export function Table(props: {
  readonly caption: string;
  readonly stacks?: boolean;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Child[])[];
}): JSX.Element {
  const { columns, stacks = false } = props;
  const role = (name: string): string | undefined => (stacks ? name : undefined);
  return (
    // A keyboard can only scroll what it can focus.
    <div class="scroll" role="region" aria-label={props.caption} tabindex={0}>
      <table class={stacks ? "table table-stacks" : "table"} role={role("table")}>
        <caption class="out">{props.caption}</caption>
        <thead role={role("rowgroup")}>
          <tr role={role("row")}>
            {columns.map((column) => (
              <th scope="col" role={role("columnheader")}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role={role("rowgroup")}>
          {props.rows.map(([first, ...others]) => (
            <tr role={role("row")}>
              <th scope="row" role={role("rowheader")} data-column={stacks ? columns[0] : undefined}>
                {first}
              </th>
              {others.map((cell, index) => (
                <td role={role("cell")} data-column={stacks ? columns[index + 1] : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function EmptyState(props: { readonly title: string; readonly children?: Child }): JSX.Element {
  return (
    <div class="card empty stack">
      <h2>{props.title}</h2>
      <div class="muted">{props.children}</div>
    </div>
  );
}

export interface Choice {
  readonly value: string;
  readonly name: string;
  readonly hint?: string;
  readonly checked: boolean;
  /** What stands at the end of the row, such as a badge. */
  readonly end?: Child;
  /** What can be done about it by itself, such as a link: below the row, outside of its label. */
  readonly below?: Child;
}

export function CheckboxList(props: {
  readonly legend: string;
  readonly name: string;
  readonly choices: readonly Choice[];
  readonly error?: string | undefined;
}): JSX.Element {
  const errorId = props.error === undefined ? undefined : `${props.name}-error`;
  return (
    <fieldset class="group" aria-describedby={errorId}>
      <legend>{props.legend}</legend>
      {props.error === undefined ? null : (
        <p class="field-error" id={errorId} role="alert">
          {props.error}
        </p>
      )}
      <div class="choices">
        {props.choices.map((choice) => (
          <div class="choice-item">
            <label class="choice">
              <input type="checkbox" name={props.name} value={choice.value} checked={choice.checked} />
              <span class="choice-text">
                <bdi class="choice-name">{choice.name}</bdi>
                {choice.hint === undefined ? null : <span class="muted small">{choice.hint}</span>}
              </span>
              {choice.end ?? null}
            </label>
            {choice.below ?? null}
          </div>
        ))}
      </div>
    </fieldset>
  );
}

export function Checkbox(props: {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly checked?: boolean;
}): JSX.Element {
  return (
    <label class="choice choice-plain">
      <input type="checkbox" name={props.name} value="yes" checked={props.checked ?? false} />
      <span class="choice-text">
        <span>{props.label}</span>
        {props.hint === undefined ? null : <span class="muted small">{props.hint}</span>}
      </span>
    </label>
  );
}

/** Names are what other systems say: `bdi` keeps them from turning the text around them. */
export function PersonName({
  person: { name, email },
}: {
  readonly person: { readonly name: string; readonly email: string | null };
}): JSX.Element {
  return (
    <span>
      <bdi>{name}</bdi>
      {email === null || email === name ? null : (
        <span class="muted">
          {" "}
          <bdi>{email}</bdi>
        </span>
      )}
    </span>
  );
}
