import type { Effect, State } from "@chorus/ledger/testing";

export {
  type Effect,
  GENESIS,
  type Input,
  isSettled,
  lastOf,
  type Position,
  RULES,
  type Rules,
  start,
  type State,
  step,
} from "@chorus/ledger/testing";
export type { LogPosition } from "@chorus/election/testing";

/** An entry as it is kept and sent. */
export type StoredEntry = State["tail"][number];

/** Why a step did not happen. */
export type Refusal = Extract<Effect, { kind: "refuse" }>["problem"];
