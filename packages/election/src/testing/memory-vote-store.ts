import type { VoteState, VoteStore } from "../contract.ts";
import { encodeVoteState, parseVoteState } from "../vote-state.ts";

/** Keeps the vote in memory, as bytes, so that nothing is shared with the caller. Disposing keeps it for a restart. */
export function memoryVoteStore(): VoteStore {
  let kept: Uint8Array | undefined;
  return {
    load: async () => kept && parseVoteState(kept),
    save: async (state: VoteState) => {
      kept = encodeVoteState(state);
    },
    [Symbol.dispose]: () => undefined,
  };
}
