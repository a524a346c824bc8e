/**
 * Fakes that behave: a ledger shared by several coordinators in one process, a scripted executor, and the promises of
 * every outbox.
 *
 * @packageDocumentation
 */
export { fakeExecutor, type FakeExecutor, type Script, succeeded } from "./fake-executor.ts";
export { type MemoryLedger, type MemoryLedgers, memoryLedgers, NoLeaderError } from "./memory-ledger.ts";
export { memoryOutbox, type OutboxCase, outboxContract } from "./outbox.ts";
