/** The program's own text, for the rules that a test can only check there. */
export const sources = import.meta.glob<string>("../../../src/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});

export { default as schema } from "../../../schema.sql?raw";
