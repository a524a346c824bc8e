/**
 * A log store in memory, the checks every log store must pass, and leadership that a test hands out.
 *
 * @packageDocumentation
 */
export { type FakeLeadership, fakeLeadership } from "./fake-leadership.ts";
export { type LogStoreBench, logStoreCases } from "./log-store-cases.ts";
export { memoryLogStore } from "./memory-log-store.ts";
