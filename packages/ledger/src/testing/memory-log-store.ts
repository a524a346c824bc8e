import type { LogStore, StoredEntry } from "../contract.ts";
import { LogStoreError } from "../errors.ts";

/** A log in memory; disposing keeps it, so that a test can restart on it. */
export function memoryLogStore(): LogStore {
  let entries: readonly StoredEntry[] = [];
  let commit = 0;
  return {
    last: async () => entries.length,
    committed: async () => commit,
    read: async (from, limit) => entries.slice(from - 1, from - 1 + limit),
    async append(added, committed) {
      for (const [i, { index }] of added.entries())
        if (index !== entries.length + 1 + i) throw new LogStoreError(`entry ${index} does not follow`);
      const next = [...entries, ...added.map((entry) => structuredClone(entry))];
      if (committed > next.length || committed < commit)
        throw new LogStoreError(`commit index ${committed} is out of range`);
      entries = next;
      commit = committed;
    },
    async truncateAfter(index) {
      if (index < commit) throw new LogStoreError("committed entries are never removed");
      entries = entries.slice(0, index);
    },
    [Symbol.dispose]: () => undefined,
  };
}
