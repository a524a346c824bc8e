import { deepStrictEqual, rejects } from "node:assert/strict";
import { GENESIS, seal } from "../chain.ts";
import type { LogStore } from "../contract.ts";

/** Makes stores for {@link logStoreCases}. */
export interface LogStoreBench {
  /** The store over content that stays the same from call to call; the one before is disposed already. */
  open(): LogStore;
}

const entries = seal(
  GENESIS,
  3,
  ["a", "b", "c", "d"].map((id) => ({ id, command: Uint8Array.of(1, 2, id.length) })),
);

/** What every log store must do; each case takes a bench with nothing stored. Throws when it does not hold. */
export const logStoreCases: readonly {
  readonly name: string;
  readonly run: (bench: LogStoreBench) => Promise<void>;
}[] = [
  {
    name: "is empty at first",
    async run(bench) {
      using store = bench.open();
      deepStrictEqual([await store.last(), await store.committed(), await store.read(1, 10)], [0, 0, []]);
    },
  },
  {
    name: "gives entries back in order, in parts, also after it was opened again",
    async run(bench) {
      {
        using store = bench.open();
        await store.append(entries.slice(0, 3), 2);
        await store.append(entries.slice(3), 4);
      }
      using store = bench.open();
      deepStrictEqual([await store.last(), await store.committed()], [4, 4]);
      deepStrictEqual(await store.read(1, 10), entries);
      deepStrictEqual(await store.read(2, 2), entries.slice(1, 3));
      deepStrictEqual(await store.read(5, 2), []);
    },
  },
  {
    name: "refuses a gap, a repetition and a commit index out of range, and keeps nothing of it",
    async run(bench) {
      using store = bench.open();
      await rejects(store.append(entries.slice(1), 4));
      await store.append(entries.slice(0, 2), 1);
      await rejects(store.append(entries.slice(1), 4));
      await rejects(store.append([...entries.slice(2, 3), ...entries.slice(2, 3)], 4));
      await rejects(store.append(entries.slice(2), 5));
      await rejects(store.append(entries.slice(2), 0));
      deepStrictEqual([await store.last(), await store.committed()], [2, 1]);
    },
  },
  {
    name: "raises the commit index alone",
    async run(bench) {
      using store = bench.open();
      await store.append(entries, 1);
      await store.append([], 3);
      deepStrictEqual([await store.last(), await store.committed()], [4, 3]);
    },
  },
  {
    name: "cuts off the uncommitted tail and nothing else",
    async run(bench) {
      using store = bench.open();
      await store.append(entries, 2);
      await rejects(store.truncateAfter(1));
      await store.truncateAfter(2);
      deepStrictEqual(await store.read(1, 10), entries.slice(0, 2));
      await store.append(entries.slice(2), 4);
      deepStrictEqual(await store.last(), 4);
    },
  },
];
