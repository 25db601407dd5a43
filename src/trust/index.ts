export { Documents } from "./documents-object.ts";
