import type { ElectedLog, LogPosition, LogStore } from "./contract.ts";
import { ClosedError, CorruptError } from "./errors.ts";

/** The ledger over a store, as far as an election has to do with it. */
interface Counting {
  readonly isSettledIn: (term: number) => Promise<boolean>;
  readonly failure: () => Error | undefined;
}

/**
 * The ledgers that count copies, by their store: the store is what both sides have in hand, and the election, which
 * asks, is made before the ledger.
 */
const counting = new WeakMap<LogStore, Counting>();

/**
 * What an election needs to know of the log in a store: so it can be made before the ledger over that store, which
 * follows the election. Only voters that ask here before each vote never elect an admin that lacks a committed entry.
 */
export function electedLog(store: LogStore): ElectedLog {
  const last = async (): Promise<LogPosition> => {
    const failure = counting.get(store)?.failure();
    // Where it ends is not known any more: it may have lost what it acknowledged.
    if (failure !== undefined && !(failure instanceof ClosedError)) throw failure;
    return positionAt(store, await store.last());
  };
  return {
    last,
    async mayVoteFor(_candidate, theirs) {
      const own = await last();
      return theirs.term > own.term || (theirs.term === own.term && theirs.index >= own.index);
    },
    isCommittedIn: async (term) => (await counting.get(store)?.isSettledIn(term)) ?? false,
  };
}

/** The ledger over a store says what its admin has counted, and whether it can go on. */
export function countFor(store: LogStore, ledger: Counting): void {
  counting.set(store, ledger);
}

async function positionAt(store: LogStore, index: number): Promise<LogPosition> {
  if (index === 0) return { term: 0, index };
  const base = await store.base();
  if (base?.index === index) return { term: base.term, index };
  const [entry] = await store.read(index, 1);
  if (entry === undefined) throw new CorruptError("an entry is missing", index);
  return { term: entry.term, index };
}
