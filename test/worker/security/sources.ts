/** The program's own text, for the rules that a test can only check there. */
export const sources = import.meta.glob<string>("../../../src/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});

const migrations = import.meta.glob<string>("../../../migrations/*.sql", {
  query: "?raw",
  import: "default",
  eager: true,
});

export const schema = Object.values(migrations).join("\n");
