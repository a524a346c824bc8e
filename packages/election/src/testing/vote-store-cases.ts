import { deepStrictEqual } from "node:assert/strict";
import { createSigner } from "@chorus/kernel";
import { firstConfig } from "../config.ts";
import type { VoteStore } from "../contract.ts";

/** Makes stores for {@link voteStoreCases}. */
export interface VoteStoreBench {
  /** The store over content that stays the same from call to call; the one before is disposed already. */
  open(): VoteStore;
}

/** What every vote store must do; each case takes a bench with nothing stored. Throws when it does not hold. */
export const voteStoreCases: readonly {
  readonly name: string;
  readonly run: (bench: VoteStoreBench) => Promise<void>;
}[] = [
  {
    name: "is empty at first",
    async run(bench) {
      using store = bench.open();
      deepStrictEqual(await store.load(), undefined);
    },
  },
  {
    name: "gives back the last state saved, also after it was opened again",
    async run(bench) {
      const { peer } = await createSigner(new Uint8Array(32).fill(7));
      const state = { term: 3, votedFor: peer, config: firstConfig("mesh", [peer]) };
      {
        using store = bench.open();
        await store.save({ term: 2 });
        deepStrictEqual(await store.load(), { term: 2 });
        await store.save(state);
        deepStrictEqual(await store.load(), state);
      }
      using again = bench.open();
      deepStrictEqual(await again.load(), state);
    },
  },
  {
    name: "forgets the vote of an older term when a newer one is saved without a vote",
    async run(bench) {
      const { peer } = await createSigner(new Uint8Array(32).fill(7));
      using store = bench.open();
      await store.save({ term: 3, votedFor: peer });
      await store.save({ term: 4 });
      deepStrictEqual(await store.load(), { term: 4 });
    },
  },
];
