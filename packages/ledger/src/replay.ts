import type { Applied } from "./applied.ts";
import type { Position } from "./chain.ts";
import type { LogStore, SnapshotHead, StoredEntry } from "./contract.ts";
import { CorruptError } from "./errors.ts";
import { readAfter } from "./log-reader.ts";
import { load } from "./snapshot.ts";
import type { Snapshots } from "./snapshots.ts";

const CHUNK = 256;

interface ReplayPorts<S, R> {
  readonly store: LogStore;
  readonly applied: Applied<S, R>;
  readonly snapshots: Pick<Snapshots, "known" | "count">;
}

/**
 * Makes the state anew: from the snapshot, where there is one, and the committed entries after it.
 * @param tail gets the entries that are not known to be committed
 * @throws what is damaged; up to there it was applied
 */
export async function replay<S, R>(
  { store, applied, snapshots }: ReplayPorts<S, R>,
  head: SnapshotHead | undefined,
  tail: StoredEntry[],
): Promise<void> {
  if (head !== undefined) {
    const pieces = await load(store, "snapshot", head);
    const restored = applied.restore(head, pieces);
    applied.become(restored);
    snapshots.known(restored.size);
  }
  const [last, committed] = [await store.last(), await store.committed()];
  if (committed > last) throw new CorruptError("committed entries are missing", last + 1);
  for (let at: Position = applied.position; at.index < last; at = tail.at(-1) ?? applied.position) {
    const entries = await readAfter(store, at, CHUNK);
    const sure = entries.filter(({ index }) => index <= committed);
    applied.apply(sure);
    snapshots.count(sure);
    tail.push(...entries.filter(({ index }) => index > committed));
  }
}
