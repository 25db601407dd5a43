/** The inventory of AI clients. */
export { agentsRepository, type Agent, type AgentPosition, type AgentUse } from "./agents-store.ts";
export { noteAgent, noteBlocked } from "./note.ts";
export { sumUses } from "./sum-uses.ts";
