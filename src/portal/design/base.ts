/** Elements as they are without a class. */
export const base = `
*, *::before, *::after { box-sizing: border-box; }
html { font-size: 100%; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  display: flex;
  flex-direction: column;
  background: var(--ground);
  color: var(--text);
  font: 1rem/1.55 var(--font);
  overflow-wrap: break-word;
}
h1, h2, h3, p, ul, ol, dl, dd, fieldset, table { margin: 0; padding: 0; }
h1 { font-size: 1.5rem; line-height: 1.25; letter-spacing: -0.01em; text-wrap: balance; }
h2 { font-size: 1.125rem; line-height: 1.35; }
h3 { font-size: 1rem; line-height: 1.4; }
ul, ol { padding-left: 1.25rem; }
fieldset { border: 0; min-width: 0; }
legend { padding: 0; font-weight: 600; }
a { color: var(--accent); text-underline-offset: 0.2em; }
a:hover { color: var(--accent-strong); }
code, .code { font-family: var(--mono); font-size: 0.9em; overflow-wrap: anywhere; }
time { white-space: normal; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
@media (prefers-reduced-motion: no-preference) {
  .button, .nav a, .choice { transition: background-color 120ms ease, border-color 120ms ease, color 120ms ease; }
}
@media (forced-colors: active) {
  .button, .badge, .notice, .card { border: 1px solid; }
}
`;
