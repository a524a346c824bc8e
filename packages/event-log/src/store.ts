import type { Checkpoint } from "./contract.ts";

/** One entry as it is kept. */
export interface Row {
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** The tree nodes that this entry completes, level 0 first, 32 bytes each. */
  readonly nodes: Uint8Array;
}

/** Where a log keeps its entries. Every call is synchronous, so no reader ever sees half a commit. */
export interface LogStore {
  /** Entries kept, by the highest position. */
  size(): number;
  /** The newest signed note, undefined in a new log. */
  note(): string | undefined;
  /** At most `limit` rows from `from` on, in order; a damaged store may have gaps. */
  rows(from: number, limit: number): readonly Row[];
  row(seq: number): Row | undefined;
  /** All or nothing, on disk when it returns. */
  commit(rows: readonly Row[], note: string): void;
  /** What the storage itself finds wrong. */
  problems(): readonly string[];
  close(): void;
}

/**
 * What this log has promised, kept apart from its entries: so that a lost tail or a restored backup shows.
 */
export interface Guard {
  /** The largest checkpoint that is known to have been on disk here or at a peer. */
  known(): Promise<Checkpoint | undefined>;
  /** Keeps a larger checkpoint; `durable` waits for the disk. */
  raise(checkpoint: Checkpoint, options?: { readonly durable?: boolean }): void;
  /** Keeps notes that contradict each other. */
  accuse(notes: readonly string[]): void;
  close(): void;
}
