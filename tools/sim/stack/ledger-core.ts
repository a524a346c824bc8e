// The ledger's pure rules. Everything here comes through this file, so that there is one place that knows where they are.
export { follows, GENESIS, type Position } from "../../../packages/ledger/src/chain.ts";
export type { LogPosition, StoredEntry } from "../../../packages/ledger/src/contract.ts";
export { isSettled } from "../../../packages/ledger/src/core/leading.ts";
export {
  type Effect,
  type Input,
  lastOf,
  positionOf,
  type Refusal,
  RULES,
  type Rules,
  start,
  type State,
} from "../../../packages/ledger/src/core/state.ts";
export { step } from "../../../packages/ledger/src/core/step.ts";
