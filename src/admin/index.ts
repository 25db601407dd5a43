/** The admin API: `/api/v1/*`. */
export { createAdminApi } from "./api.ts";
export { callAdmin, type AdminAnswer } from "./call.ts";
export type { AdminDependencies } from "./dependencies.ts";
