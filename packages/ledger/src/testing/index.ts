/**
 * A log store in memory, what every log store and every ledger must do, and leadership that a test hands out.
 *
 * @packageDocumentation
 */
export type { LedgerCase } from "./case.ts";
export { type FakeLeadership, fakeLeadership } from "./fake-leadership.ts";
export { ledgerCases } from "./ledger-cases.ts";
export type { LedgerBench } from "./ledger-mesh.ts";
export { type LogStoreBench, logStoreCases } from "./log-store-cases.ts";
export { memoryLogStore } from "./memory-log-store.ts";
/** The rules of the log as pure functions, for simulations of more than the ledger. */
export { follows, GENESIS, type Position, seal } from "../chain.ts";
export { isSettled } from "../core/leading.ts";
export {
  type Effect,
  type Input,
  lastOf,
  positionOf,
  RULES,
  type Rules,
  start,
  type State,
} from "../core/state.ts";
export { step } from "../core/step.ts";
