export { authenticationFor, type Authentication } from "./authenticate.ts";
