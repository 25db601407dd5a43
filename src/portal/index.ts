/** The server-rendered pages of people: sign-in, consent, my access, administration. */
export type { PortalVariables } from "./context.ts";
export { createPortal } from "./routes.ts";
