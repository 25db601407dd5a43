export { decide, type Decision, type Question } from "./decide.ts";
