/** What a client says of itself. Nothing of it is verified, so nothing is decided on it. */
import { limits } from "../limits.ts";
import type { Json } from "../ports.ts";
import type { RequestMeta } from "./client-request.ts";
import { isObject, member } from "./json.ts";

/** @see MCP 2026-07-28 schema, `Implementation` */
export function isClientInfo(value: Json): boolean {
  if (!isObject(value) || typeof member(value, "name") !== "string") return false;
  const version = member(value, "version");
  return version === undefined || typeof version === "string";
}

/** Name and version, undefined where there is no name. */
export function readClientInfo(info: Json | undefined): RequestMeta["clientInfo"] {
  if (!isObject(info)) return undefined;
  const name = member(info, "name");
  const version = member(info, "version");
  if (typeof name !== "string") return undefined;
  return { name, ...(typeof version === "string" && { version }) };
}

/** The same, short enough to travel in every session id. */
export function readShortClientInfo(info: Json | undefined): RequestMeta["clientInfo"] {
  const { name, version } = readClientInfo(info) ?? {};
  if (name === undefined) return undefined;
  return { name: short(name), ...(version !== undefined && { version: short(version) }) };
}

const short = (text: string): string => text.slice(0, limits.clientInfo_chars).toWellFormed();
