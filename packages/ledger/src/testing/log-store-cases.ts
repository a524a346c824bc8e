import { deepStrictEqual, rejects } from "node:assert/strict";
import { GENESIS, seal } from "../chain.ts";
import type { LogMark, LogStore, SnapshotHead, SnapshotPart, StoredEntry } from "../contract.ts";
import { partsOf } from "../snapshot.ts";

/** Makes stores for {@link logStoreCases}. */
export interface LogStoreBench {
  /** The store over content that stays the same from call to call; the one before is disposed already. */
  open(): LogStore;
}

const drafts = ["a", "b", "c", "d"].map((id) => ({ id, command: Uint8Array.of(1, 2, id.length) }));
const entries = seal(GENESIS, 3, drafts);

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
  {
    name: "belongs to one founding, for good",
    async run(bench) {
      {
        using store = bench.open();
        deepStrictEqual(await store.founding(), undefined);
        await store.adopt("one");
        await store.adopt("one");
        await rejects(store.adopt("two"));
      }
      using store = bench.open();
      deepStrictEqual(await store.founding(), "one");
    },
  },
  {
    name: "gathers the parts of a snapshot in order, also after it was opened again",
    async run(bench) {
      const { parts } = snapshotAt(entries[1], 5);
      {
        using store = bench.open();
        deepStrictEqual([await store.staged(), await store.snapshot(), await store.base()], none);
        await store.stage("one", 0, parts.slice(0, 2));
        await rejects(store.stage("one", 1, parts.slice(1)));
        await rejects(store.stage("two", 2, parts.slice(2)));
        await store.stage("one", 2, parts.slice(2, 3));
      }
      using store = bench.open();
      deepStrictEqual(await store.staged(), { name: "one", parts: 3 });
      deepStrictEqual(await store.readParts("staged", 1, 10), parts.slice(1, 3));
      deepStrictEqual([await store.snapshot(), await store.readParts("snapshot", 0, 10)], [undefined, []]);
      await store.stage("two", 0, parts.slice(0, 1));
      deepStrictEqual(await store.staged(), { name: "two", parts: 1 });
      await store.unstage();
      deepStrictEqual([await store.staged(), await store.readParts("staged", 0, 10)], [undefined, []]);
    },
  },
  {
    name: "puts a snapshot in the place of the entries up to a base, for good",
    async run(bench) {
      const { head, parts } = snapshotAt(entries[2], 4);
      const base = markOf(entries[0]);
      {
        using store = bench.open();
        await store.append(entries, 1);
        await store.stage("one", 0, parts);
        await store.install(head, base);
      }
      using store = bench.open();
      deepStrictEqual([await store.last(), await store.committed(), await store.base()], [4, 3, base]);
      deepStrictEqual([await store.snapshot(), await store.staged()], [head, undefined]);
      deepStrictEqual(await store.readParts("snapshot", 1, 2), parts.slice(1, 3));
      deepStrictEqual([await store.read(1, 10), await store.read(2, 10)], [[], entries.slice(1)]);
      await rejects(store.truncateAfter(2));
    },
  },
  {
    name: "puts a snapshot in the place of a log that does not have its end",
    async run(bench) {
      const { head, parts } = snapshotAt(entries[3], 2);
      const others = seal(GENESIS, 2, [{ id: "x", command: Uint8Array.of(9) }, ...drafts]);
      using store = bench.open();
      await store.append(others, 1);
      await store.stage("one", 0, parts);
      await store.install(head, markOf(entries[3]));
      deepStrictEqual([await store.last(), await store.committed()], [4, 4]);
      deepStrictEqual(await store.read(1, 10), []);
      const [next] = seal(markOf(entries[3]), 3, drafts.slice(0, 1));
      if (next !== undefined) await store.append([next], 4);
      deepStrictEqual(await store.read(5, 10), [next]);
    },
  },
  {
    name: "installs nothing that is not whole, not newer, or not this log's",
    async run(bench) {
      const { head, parts } = snapshotAt(entries[2], 4);
      using store = bench.open();
      await store.append(entries, 2);
      await rejects(store.install(head, markOf(entries[0])));
      await store.stage("one", 0, parts.slice(0, 3));
      await rejects(store.install(head, markOf(entries[0])));
      await store.stage("one", 3, parts.slice(3));
      await rejects(store.install(head, markOf(entries[3])));
      await rejects(store.install({ ...head, digest: GENESIS.checksum }, markOf(entries[0])));
      await rejects(store.install({ ...head, checksum: GENESIS.checksum }, markOf(entries[0])));
      deepStrictEqual(
        [await store.snapshot(), await store.base(), await store.committed()],
        [undefined, undefined, 2],
      );
      deepStrictEqual(await store.read(1, 10), entries);
      await store.install(head, markOf(entries[1]));
      await store.stage("one", 0, parts);
      await rejects(store.install(head, markOf(entries[1])));
      deepStrictEqual(await store.read(3, 10), entries.slice(2));
    },
  },
  {
    name: "gives room back and keeps what is needed",
    async run(bench) {
      const [first, second] = [snapshotAt(entries[1], 40), snapshotAt(entries[2], 50)];
      using store = bench.open();
      await store.append(entries, 4);
      for (const { head, parts } of [first, second]) {
        await store.stage("kept", 0, parts);
        await store.install(head, markOf(entries[head.index - 1]));
      }
      await store.stage("next", 0, first.parts);
      while (await store.sweep());
      deepStrictEqual(await store.readParts("snapshot", 0, 100), second.parts);
      deepStrictEqual(await store.readParts("staged", 0, 100), first.parts);
      deepStrictEqual(await store.read(4, 10), entries.slice(3));
    },
  },
];

const none = [undefined, undefined, undefined];

function markOf(entry: LogMark | undefined): LogMark {
  const { index, term, checksum } = entry ?? GENESIS;
  return { index, term, checksum };
}

function snapshotAt(
  entry: StoredEntry | undefined,
  count: number,
): { readonly head: SnapshotHead; readonly parts: readonly SnapshotPart[] } {
  const pieces = Array.from({ length: count - 1 }, (_, n) => new Uint8Array(100).fill(n));
  const parts = [...partsOf(markOf(entry), new Map(), pieces)];
  return {
    head: { ...markOf(entry), parts: count, digest: parts.at(-1)?.checksum ?? GENESIS.checksum },
    parts,
  };
}
