import { describe, expect, it } from "vitest";
import { missingCapabilities } from "../../../src/protocol/index.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";

const form = { method: "elicitation/create", params: { message: "m", requestedSchema: {} } };
const url = { method: "elicitation/create", params: { mode: "url", message: "m", url: "https://x.test" } };
const sampling = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } };
const tools = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1, tools: [] } };
const roots = { method: "roots/list" };

describe("MC-28 what the client did not declare", () => {
  it.each<[string, Json, JsonObject, string[]]>([
    ["a form", form, {}, ["elicitation.form"]],
    ["a form, to a client with URLs only", form, { elicitation: { url: {} } }, ["elicitation.form"]],
    ["a URL", url, {}, ["elicitation.url"]],
    ["a URL, to a client with forms only", url, { elicitation: {} }, ["elicitation.url"]],
    ["a URL, where the capability is no object", url, { elicitation: { url: true } }, ["elicitation.url"]],
    ["sampling", sampling, { elicitation: {}, roots: {} }, ["sampling"]],
    ["sampling with tools", tools, { sampling: {} }, ["sampling.tools"]],
    ["roots", roots, { sampling: {} }, ["roots"]],
    ["roots, where the capability is null", roots, { roots: null }, ["roots"]],
    ["an unknown method", { method: "tools/call" }, { tools: {}, unknown: {} }, ["unknown"]],
    [
      "an unknown elicitation mode",
      { method: "elicitation/create", params: { mode: "voice" } },
      { elicitation: { voice: {} } },
      ["unknown"],
    ],
    ["params that are no object", { method: "roots/list", params: [] }, { roots: {} }, ["unknown"]],
    ["a request that is no object", "roots/list", { roots: {} }, ["unknown"]],
  ])("MC-28: %s is missing", (_name, request, declared, missing) => {
    expect(missingCapabilities({ a: request }, declared)).toEqual(missing);
  });
  it.each<[string, Json, JsonObject]>([
    ["a form, implicitly", form, { elicitation: {} }],
    ["a form", form, { elicitation: { form: {} } }],
    ["a URL", url, { elicitation: { url: {} } }],
    ["sampling", sampling, { sampling: { context: {} } }],
    ["sampling with tools", tools, { sampling: { tools: {} } }],
    ["roots", roots, { roots: {} }],
  ])("MC-28: %s is declared", (_name, request, declared) => {
    expect(missingCapabilities({ a: request }, declared)).toEqual([]);
  });
  it("MC-28: each is named once", () => {
    expect(missingCapabilities({ a: form, b: form, c: roots }, {})).toEqual(["elicitation.form", "roots"]);
  });
  it("MC-28: a map that is no object is not valid", () => {
    expect(missingCapabilities([roots], { roots: {} })).toEqual(["unknown"]);
  });
});
