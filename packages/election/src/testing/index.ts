/**
 * A vote store in memory, and the checks every vote store must pass.
 *
 * @packageDocumentation
 */
export { memoryVoteStore } from "./memory-vote-store.ts";
export { type VoteStoreBench, voteStoreCases } from "./vote-store-cases.ts";
