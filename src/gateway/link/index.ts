export { answerUnlinked } from "./answer-unlinked.ts";
export { prepareLink } from "./prepare-link.ts";
