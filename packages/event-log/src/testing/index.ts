/**
 * An event log in memory, and what every event log has to do.
 *
 * @packageDocumentation
 */
export { type ContractCase, type ContractSetup, eventLogContract } from "./contract-suite.ts";
export { memoryEventLog } from "./memory-event-log.ts";
