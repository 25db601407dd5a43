/** Clients of the revisions 2025-03-26 to 2025-11-25: what they post, and the GET and DELETE of their sessions. */
export { handleBodiless } from "./bodiless.ts";
export { handleLegacy } from "./post.ts";
