export { accessSchema, nobody, type Access } from "./access.ts";
export { decide, reach, type Decision, type Question, type Reach } from "./decide.ts";
