/**
 * A message on a line as text: a head that the object routes by, a line feed, and the JSON of the client, which the object does
 * not read. They are apart so that the client's JSON keeps its depth and its numbers.
 */
import * as z from "zod";
import type { JsonObject } from "../ports.ts";
import { isObject, parseFaithful, stringifyFaithful } from "../protocol/index.ts";
import type { LineMessage } from "./types.ts";

const head = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("answer"), id: z.string() }),
  z.strictObject({ kind: z.literal("progress"), token: z.string() }),
  z.strictObject({ kind: z.literal("cancelled"), request_id: z.union([z.string(), z.number()]) }),
  z.strictObject({ kind: z.literal("changed") }),
  z.strictObject({ kind: z.literal("ended"), reason: z.enum(["deleted", "replaced", "lost"]) }),
]);
export type FrameHead = z.infer<typeof head>;

export function encodeFrame(message: LineMessage): string {
  switch (message.kind) {
    case "answer":
      return frame({ kind: message.kind, id: message.id }, message.response);
    case "progress":
      return frame({ kind: message.kind, token: message.token }, message.params);
    case "cancelled":
      return frame({ kind: message.kind, request_id: message.request_id }, message.params);
    case "changed":
    case "ended":
      return frame(message, {});
  }
}

const frame = (of: FrameHead, body: JsonObject): string => `${JSON.stringify(of)}\n${stringifyFaithful(body)}`;

/** @throws where the text is not a frame: a bug */
export const readHead = (text: string): FrameHead => head.parse(JSON.parse(text.slice(0, text.indexOf("\n"))));

/** @throws where the text is not a frame: a bug */
export function decodeFrame(text: string): LineMessage {
  const of = readHead(text);
  const body = parseFaithful(text.slice(text.indexOf("\n") + 1));
  if (!isObject(body)) throw new Error("The body of a frame is not an object.");
  switch (of.kind) {
    case "answer":
      return { ...of, response: body };
    case "progress":
    case "cancelled":
      return { ...of, params: body };
    case "changed":
    case "ended":
      return of;
  }
}
