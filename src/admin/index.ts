/** The admin API: `/api/v1/*`. */
export { createAdminApi } from "./api.ts";
export type { AdminDependencies } from "./dependencies.ts";
