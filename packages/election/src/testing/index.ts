/**
 * A vote store in memory, the checks every vote store must pass, and the pure rules for simulations.
 *
 * @packageDocumentation
 */
export type {
  ConfigChange,
  ElectedLog,
  ElectionComponents,
  ElectionConfig,
  LogPosition,
  VoteState,
  VoteStore,
} from "../contract.ts";
export { firstConfig } from "../config.ts";
export {
  anchorOf,
  configsOf,
  type Lineage,
  predecessorOf,
} from "../core/lineage.ts";
export { ALL_RULES, type Rules } from "../core/rules.ts";
export {
  adminOf,
  type Effect,
  type Input,
  type LogQuestion,
  PROFILES,
  type Role,
  type Settings,
  type State,
  type Timing,
  TRANSITIONS,
  wakeAt,
} from "../core/state.ts";
export { type Start, start } from "../core/start.ts";
export { step, type Stepped } from "../core/step.ts";
export type { Message } from "../wire.ts";
export { memoryVoteStore } from "./memory-vote-store.ts";
export { type VoteStoreBench, voteStoreCases } from "./vote-store-cases.ts";
