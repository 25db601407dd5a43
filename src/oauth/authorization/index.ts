/** The authorization request, from its parameters to its answer. */
export { answerRedirect, type Answerable } from "./answer.ts";
export { checkAuthorization } from "./check.ts";
export { openAuthorization, sealAuthorization } from "./handle.ts";
