/** The frame of every page. */
import type { Child } from "hono/jsx";
import type { JSX } from "hono/jsx/jsx-runtime";
import { formTokenField } from "../../login/index.ts";
import { stylesheetPath } from "./stylesheet.ts";

/** Somebody who is signed in, as the frame shows them. */
export interface Visitor {
  readonly name: string;
  /** Which pages there are for them. Development mode has no sign-in, and nothing to sign out of. */
  readonly places: "development" | "member" | "staff";
  /** For the sign-out form. */
  readonly formToken: string;
}

interface PageProps {
  readonly title: string;
  /** narrow: one thing to read or decide. wide: the console. */
  readonly width?: "narrow" | "wide";
  readonly visitor?: Visitor | undefined;
  /** Path of this page, to mark it in the navigation. */
  readonly path?: string;
  /** Whether the page has a form: browsers say where it comes from only under this policy, and we ask them. */
  readonly hasForm: boolean;
  readonly children?: Child;
}

const icon =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#3d86c6" stroke-width="2.2" stroke-linecap="round"><path d="M4 21V10a8 8 0 0 1 16 0v11M9 21V11a3 3 0 0 1 6 0v10M2 21h20"/></svg>',
  );

export function Page({ title, width = "wide", visitor, path, hasForm, children }: PageProps): JSX.Element {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        {hasForm ? <meta name="referrer" content="same-origin" /> : null}
        <title>{`${title} · Gatehouse`}</title>
        <link rel="icon" href={icon} />
        <link rel="stylesheet" href={stylesheetPath} />
      </head>
      <body>
        <a class="skip" href="#content">
          Skip to content
        </a>
        <header class="top">
          <div class="top-row">
            <Brand isLink={visitor !== undefined && visitor.places !== "development"} />
            {visitor === undefined ? null : <Navigation visible={visitor.places} path={path} />}
            {visitor === undefined ? null : <Who visitor={visitor} />}
          </div>
        </header>
        <main id="content" class={width === "narrow" ? "main main-narrow" : "main"}>
          {children}
        </main>
        <footer class="foot">
          <p>Gatehouse decides which AI applications may use which of your organisation’s servers.</p>
        </footer>
      </body>
    </html>
  );
}

function Brand({ isLink }: { readonly isLink: boolean }): JSX.Element {
  const sign = (
    <svg
      width="24"
      height="24"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2.2"
      aria-hidden="true"
    >
      <path stroke-linecap="round" d="M4 21V10a8 8 0 0 1 16 0v11M9 21V11a3 3 0 0 1 6 0v10M2 21h20" />
    </svg>
  );
  // In the middle of a decision there is nowhere to wander off to.
  if (!isLink) {
    return <span class="brand">{sign}Gatehouse</span>;
  }
  return (
    <a class="brand" href="/">
      {sign}Gatehouse
    </a>
  );
}

const everybody: readonly Visitor["places"][] = ["member", "staff"];

const places: readonly { readonly path: string; readonly label: string; readonly for: readonly Visitor["places"][] }[] =
  [
    { path: "/me", label: "My access", for: everybody },
    { path: "/me/connections", label: "My connections", for: [...everybody, "development"] },
    { path: "/admin/agents", label: "Agents", for: ["staff"] },
    { path: "/admin/connections", label: "Connections", for: ["staff"] },
    { path: "/admin/redirect-uris", label: "Redirect URLs", for: ["staff"] },
  ];

function Navigation(props: { readonly visible: Visitor["places"]; readonly path: string | undefined }): JSX.Element {
  const shown = places.filter((place) => place.for.includes(props.visible));
  // The longest one that fits: the page of connections is below that of access.
  const [current] = shown
    .filter(({ path }) => props.path === path || props.path?.startsWith(`${path}/`) === true)
    .toSorted((a, b) => b.path.length - a.path.length);
  return (
    <nav class="nav" aria-label="Main">
      <ul>
        {shown.map((place) => (
          <li>
            <a href={place.path} aria-current={place === current ? "page" : undefined}>
              {place.label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Who({ visitor }: { readonly visitor: Visitor }): JSX.Element {
  return (
    <div class="who">
      <bdi>{visitor.name}</bdi>
      {visitor.places === "development" ? null : (
        <form method="post" action="/logout">
          <input type="hidden" name={formTokenField} value={visitor.formToken} />
          <button class="button" type="submit">
            Sign out
          </button>
        </form>
      )}
    </div>
  );
}
