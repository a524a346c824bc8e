import type { ElectedLog, LogPosition, LogStore } from "./contract.ts";
import { CorruptError } from "./errors.ts";

/**
 * What an election needs to know of the log, straight from the store: so it can be made before the ledger that the
 * election leads. Only a voter that asks here before each vote never elects an admin that lacks a committed entry.
 */
export function electedLog(store: LogStore): ElectedLog {
  const last = async (): Promise<LogPosition> => positionAt(store, await store.last());
  return {
    last,
    async mayVoteFor(_candidate, theirs) {
      const own = await last();
      return theirs.term > own.term || (theirs.term === own.term && theirs.index >= own.index);
    },
    async isCommittedIn(term) {
      return (await positionAt(store, await store.committed())).term === term;
    },
  };
}

async function positionAt(store: LogStore, index: number): Promise<LogPosition> {
  if (index === 0) return { term: 0, index };
  const [entry] = await store.read(index, 1);
  if (entry === undefined) throw new CorruptError("an entry is missing", index);
  return { term: entry.term, index };
}
