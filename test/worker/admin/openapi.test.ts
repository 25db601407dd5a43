import { describe, expect, it } from "vitest";
import stored from "../../../docs/openapi.json" with { type: "json" };
import { describeAdminApi } from "../../../src/admin/describe.ts";
import { routes } from "../../../src/admin/routes.ts";

const text = JSON.stringify(stored);

describe("R4 OpenAPI", () => {
  it("R4: docs/openapi.json is what the routes say", () => {
    expect(stored).toEqual(describeAdminApi(routes));
  });

  it.each(routes.map(({ method, path }) => [method, path] as const))("R4: %s %s is described", (method, path) => {
    const paths: Record<string, object> = stored.paths;
    expect(Object.keys(paths[path.replaceAll(/:(\w+)/g, "{$1}")] ?? {})).toContain(method.toLowerCase());
  });

  it("OpenAPI 3.1 section 4.8.29: every reference leads somewhere", () => {
    const schemas: Record<string, object> = stored.components.schemas;
    const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names.filter((name) => schemas[name] === undefined))).toEqual(new Set());
    expect(text).not.toContain("#/$defs");
  });

  it("OpenAPI 3.1 section 4.8.10: operation ids are unique", () => {
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("AD-16: no answer has a member for a stored secret", () => {
    const { properties } = stored.components.schemas.Server;
    expect(Object.keys(properties.credential.properties)).toEqual(["set"]);
  });
});
