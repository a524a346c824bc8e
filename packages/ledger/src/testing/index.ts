/**
 * A log store in memory, what every log store and every ledger must do, and leadership that a test hands out.
 *
 * @packageDocumentation
 */
export { type FakeLeadership, fakeLeadership } from "./fake-leadership.ts";
export { type LedgerBench, type LedgerCase, ledgerCases } from "./ledger-cases.ts";
export { type LogStoreBench, logStoreCases } from "./log-store-cases.ts";
export { memoryLogStore } from "./memory-log-store.ts";
