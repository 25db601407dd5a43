export { createLogger, log, type Level, type Log } from "./log.ts";
