/** The OpenAPI document of the admin API, from the table of routes. Runs at build time only, so it is in no bundle. */
import * as z from "zod";
import type { JsonObject } from "../ports.ts";
import { isMutating, type Route } from "./route.ts";

const problemSchema = z.object({
  type: z.string().describe("urn:gatehouse:error:{code}"),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .describe("What is wrong with which member"),
});

const uuid: JsonObject = { type: "string", format: "uuid" };

/** @see OpenAPI Specification 3.1.1 */
export function describeAdminApi(routes: readonly Route[]): JsonObject {
  const paths: { [path: string]: JsonObject } = {};
  const schemas: JsonObject = { Problem: jsonSchema(problemSchema, "output", {}) };
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas) };
  }
  paths["/openapi.json"] = {
    get: {
      operationId: "openapi.read",
      summary: "Read this document",
      tags: ["openapi"],
      security: [],
      responses: { "200": { description: "This document", content: json({ type: "object" }) } },
    },
  };
  return {
    openapi: "3.1.1",
    info: {
      title: "Gatehouse admin API",
      version: "1",
      description:
        "Times are milliseconds since the Unix epoch. Lists are pages: pass `next` as `cursor`. " +
        "Errors are problem documents (RFC 9457). Repeat a request safely with the same `Idempotency-Key`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
    security: [{ administrator: [] }],
    paths,
    components: {
      securitySchemes: {
        administrator: { type: "http", scheme: "bearer", description: "An administrator token, gha_…" },
      },
      schemas,
      responses: {
        Problem: {
          description: "What is wrong and what to do",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

function operation(route: Route, schemas: JsonObject): JsonObject {
  const { has } = route;
  const [tag = "", ...verb] = route.action.split(".");
  const parameters = [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)];
  return {
    operationId: [tag, ...verb].join("."),
    summary: has.summary,
    ...(has.description === undefined ? {} : { description: has.description }),
    tags: [tag],
    ...(route.access === "administrator" ? {} : { security: [] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(jsonSchema(route.body, "input", schemas)) } }),
    responses: {
      [String(has.status)]: {
        description: has.status === 204 ? "Done" : "The result",
        ...(has.answer === undefined ? {} : { content: json(jsonSchema(has.answer, "output", schemas)) }),
      },
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

const json = (schema: JsonObject): JsonObject => ({ "application/json": { schema } });

function pathParameters(route: Route): JsonObject[] {
  return [...route.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: route.params?.[name === "tokenId" ? "tokenId" : "id"] === undefined ? uuid : { type: "string" },
  }));
}

function queryParameters(route: Route): JsonObject[] {
  if (route.query === undefined) return [];
  const { properties, required } = queryShape.parse(jsonSchema(route.query, "input", {}));
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

const queryShape = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.json())),
  required: z.array(z.string()).default([]),
});

function headerParameters(route: Route): JsonObject[] {
  if (!isMutating(route.method)) return [];
  const keyed = header("Idempotency-Key", "Repeating the request with the same key returns the first answer");
  const versioned = header("If-Match", "The ETag that the change was made from; 412 when there is a newer one");
  const hasVersion = /^(?:server|client|credential|identity_provider|user|settings)\.(?:update|delete)$/.test(
    route.action,
  );
  return hasVersion ? [keyed, versioned] : [keyed];
}

function header(name: string, description: string): JsonObject {
  return { name, in: "header", required: false, description, schema: { type: "string" } };
}

const objectSchema = z.record(z.string(), z.json());

/** The only transforms of the API write a text in its canonical form: what comes out looks like what went in. */
const keepForm: NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>["override"]> = ({
  zodSchema,
  jsonSchema: described,
}) => {
  const { def } = zodSchema._zod;
  if (def.type === "pipe" && def.out._zod.def.type === "transform") Object.assign(described, z.toJSONSchema(def.in));
};

/**
 * A schema with a name (`.meta({ id })`) becomes a component and a reference to it.
 * @param schemas gets the components
 */
function jsonSchema(schema: z.ZodType, io: "input" | "output", schemas: JsonObject): JsonObject {
  const made = z.toJSONSchema(schema, { target: "draft-2020-12", io, unrepresentable: "any", override: keepForm });
  const generated = JSON.stringify(made, (name, value: unknown) =>
    name === "$schema" || name === "~standard" || (name === "id" && typeof value === "string") ? undefined : value,
  ).replaceAll('"#/$defs/', '"#/components/schemas/');
  const { $defs = {}, ...own } = objectSchema.parse(JSON.parse(generated));
  Object.assign(schemas, $defs);
  return own;
}
