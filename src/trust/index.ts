/** What others publish and sign: documents, key sets, tokens, and what of it may be used once or so often. */
export { countAttempt, isHeldOff, type AttemptRule } from "./attempts.ts";
export { discover, type Discovered } from "./discovery.ts";
export type { DocumentKind, Judgement } from "./document-kind.ts";
export { documentRequest, isJsonType, isTransientStatus, transientCodes } from "./document-request.ts";
export { Documents } from "./documents-object.ts";
export {
  fetchDocument,
  type ClientQuestion,
  type DocumentFailure,
  type DocumentQuestion,
  type FetchedDocument,
} from "./documents.ts";
export { verifyForeignJwt, type JwtExpectation, type JwtFailure, type KeySource } from "./foreign-jwt.ts";
export type { Inquirer } from "./inquirer.ts";
export type { ForeignClaims } from "./jwt-claims.ts";
export { foreignAlgorithms } from "./key-set.ts";
export { readJson } from "./json.ts";
export { createLibraryFetch, type LibraryBounds, type LibraryFetch } from "./library-fetch.ts";
export { peekJwt, type PeekedJwt } from "./peek-jwt.ts";
export { useOnce } from "./use-once.ts";
