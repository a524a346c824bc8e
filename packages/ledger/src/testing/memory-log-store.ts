import { equalBytes } from "@chorus/kernel";
import type { LogMark, LogStore, SnapshotHead, SnapshotPart, StoredEntry } from "../contract.ts";
import { LogStoreError } from "../errors.ts";

/** A log in memory; disposing keeps it, so that a test can restart on it. */
export function memoryLogStore(): LogStore {
  const entries = new MemoryEntries();
  const snapshots = new MemorySnapshots();
  let founding: string | undefined;
  return {
    last: async () => entries.last,
    committed: async () => entries.committed,
    base: async () => entries.base,
    read: async (from, limit) => entries.read(from, limit),
    append: async (added, committed) => entries.append(added, committed),
    truncateAfter: async (index) => entries.truncateAfter(index),
    founding: async () => founding,
    async adopt(by) {
      if (founding !== undefined && founding !== by)
        throw new LogStoreError("the log belongs to another founding");
      founding = by;
    },
    snapshot: async () => snapshots.kept?.head,
    readParts: async (of, from, limit) => (snapshots[KEPT[of]]?.parts ?? []).slice(from, from + limit),
    staged: async () =>
      snapshots.staged && { name: snapshots.staged.name, parts: snapshots.staged.parts.length },
    stage: async (name, from, parts) => snapshots.stage(name, from, parts),
    async unstage() {
      snapshots.staged = undefined;
    },
    async install(head, base) {
      snapshots.check(head);
      entries.replace(head, base);
      snapshots.install(head);
    },
    sweep: async () => false,
    [Symbol.dispose]: () => undefined,
  };
}

const KEPT = { snapshot: "kept", staged: "staged" } as const;

class MemoryEntries {
  /** Those after the base. */
  #entries: readonly StoredEntry[] = [];
  committed = 0;
  base: LogMark | undefined;

  get last(): number {
    return this.#entries.at(-1)?.index ?? this.base?.index ?? 0;
  }

  read(from: number, limit: number): readonly StoredEntry[] {
    const skipped = from - 1 - (this.base?.index ?? 0);
    return skipped < 0 ? [] : this.#entries.slice(skipped, skipped + limit);
  }

  append(added: readonly StoredEntry[], committed: number): void {
    for (const [i, { index }] of added.entries())
      if (index !== this.last + 1 + i) throw new LogStoreError(`entry ${index} does not follow`);
    if (committed > this.last + added.length || committed < this.committed)
      throw new LogStoreError(`commit index ${committed} is out of range`);
    this.#entries = [...this.#entries, ...added.map((entry) => structuredClone(entry))];
    this.committed = committed;
  }

  truncateAfter(index: number): void {
    if (index < this.committed) throw new LogStoreError("committed entries are never removed");
    this.#entries = this.#entries.filter((entry) => entry.index <= index);
  }

  replace(head: SnapshotHead, { index, term, checksum }: LogMark): void {
    const own = head.index === this.base?.index ? this.base : this.read(head.index, 1)[0];
    const known = own !== undefined && equalBytes(own.checksum, head.checksum);
    if (index > head.index || index < (this.base?.index ?? 0) || (!known && index !== head.index))
      throw new LogStoreError("the log does not hold the base");
    this.#entries = known ? this.#entries.filter((entry) => entry.index > index) : [];
    this.base = { index, term, checksum };
    this.committed = Math.max(this.committed, head.index);
  }
}

class MemorySnapshots {
  kept: { readonly head: SnapshotHead; readonly parts: readonly SnapshotPart[] } | undefined;
  staged: { readonly name: string; readonly parts: readonly SnapshotPart[] } | undefined;

  stage(name: string, from: number, parts: readonly SnapshotPart[]): void {
    const known = this.staged?.name === name ? this.staged.parts : undefined;
    const before = from === 0 ? [] : known;
    if (before?.length !== from) throw new LogStoreError(`part ${from} does not follow`);
    this.staged = { name, parts: [...before, ...parts.map((part) => structuredClone(part))] };
  }

  check(head: SnapshotHead): void {
    const last = this.staged?.parts.at(-1);
    if (
      this.staged?.parts.length !== head.parts ||
      last === undefined ||
      !equalBytes(last.checksum, head.digest)
    )
      throw new LogStoreError("the staged parts are not that snapshot");
    if (head.index <= (this.kept?.head.index ?? 0))
      throw new LogStoreError("an older snapshot is not installed");
  }

  install(head: SnapshotHead): void {
    this.kept = { head: structuredClone(head), parts: this.staged?.parts ?? [] };
    this.staged = undefined;
  }
}
