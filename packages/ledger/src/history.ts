import { equalBytes } from "@chorus/kernel";
import { GENESIS, type Position } from "./chain.ts";
import type { LogMark, LogStore, SnapshotHead, SnapshotPart, StoredEntry } from "./contract.ts";
import { CorruptError, TruncatedError } from "./errors.ts";
import { readAfter } from "./log-reader.ts";
import { continues } from "./snapshot.ts";

/** Entries that stay in memory at least. */
const RECENT = 512;

interface HistoryPorts {
  readonly store: LogStore;
  /** Makes the log read-only. */
  readonly fail: (error: unknown) => Error;
}

/** What is on the disk of the past: the kept entries, and the snapshot in place of those before. */
export class History {
  readonly #ports: HistoryPorts;
  #base: Position = GENESIS;
  /** The base that an installation under way sets: what is before it may be gone already. */
  #goingTo: Position = GENESIS;
  #head: SnapshotHead | undefined;
  /** The last applied entries, without a gap. */
  #recent: StoredEntry[] = [];

  constructor(ports: HistoryPorts) {
    this.#ports = ports;
  }

  /** The last removed entry: the log begins after it. */
  get base(): Position {
    return this.#base;
  }

  get head(): SnapshotHead | undefined {
    return this.#head;
  }

  /** @throws CorruptError */
  async open(): Promise<void> {
    const { store } = this.#ports;
    const [head, base] = [await store.snapshot(), (await store.base()) ?? GENESIS];
    if (base.index > (head?.index ?? 0)) throw new CorruptError("the snapshot is missing", base.index);
    this.#head = head;
    this.#base = base;
  }

  /** What was written lately stays in memory: most readers are near the end. */
  remember(entries: readonly StoredEntry[]): void {
    this.#recent.push(...entries);
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT);
  }

  /** Checked entries after a position, the first `limit` or fewer. @throws TruncatedError */
  async read(after: Position, limit: number): Promise<readonly StoredEntry[]> {
    this.#assertKept(after.index);
    const skipped = after.index + 1 - (this.#recent[0]?.index ?? Infinity);
    if (skipped >= 0) return this.#recent.slice(skipped, skipped + limit);
    try {
      return await readAfter(this.#ports.store, after, limit);
    } catch (error) {
      this.#assertKept(after.index);
      throw this.#ports.fail(error);
    }
  }

  /** The position at an index that is not beyond the end; undefined when it is no longer known. */
  async positionAt(index: number): Promise<Position | undefined> {
    const mark = [this.#base, this.#head].find((one) => one?.index === index);
    if (mark !== undefined) return mark;
    if (index < this.#base.index) return undefined;
    const [entry] = await this.#ports.store.read(index, 1);
    if (entry !== undefined) return entry;
    if (index <= this.#goingTo.index) return undefined;
    throw this.#ports.fail(new CorruptError("an entry is missing", index));
  }

  /** Checked parts of a snapshot, undefined when another one has taken its place. */
  async parts(digest: Uint8Array, from: number, limit: number): Promise<readonly SnapshotPart[] | undefined> {
    const head = this.#head;
    if (head === undefined || !equalBytes(head.digest, digest)) return undefined;
    const skipped = Math.min(1, from);
    const read = await this.#ports.store.readParts("snapshot", from - skipped, limit + skipped);
    if (this.#head !== head) return undefined;
    const parts = read.slice(skipped);
    let before = skipped === 0 ? undefined : read[0]?.checksum;
    const expected = Math.min(limit, head.parts - from);
    for (const part of parts) {
      if (!continues(head, before, part)) break;
      before = part.checksum;
    }
    if (parts.length < expected || (parts.length > 0 && before !== parts.at(-1)?.checksum))
      throw this.#ports.fail(new CorruptError("the snapshot is damaged", head.index));
    return parts;
  }

  /** Puts what is staged in the place of the entries up to `base`. @throws what the store throws: nothing is changed then */
  async install(head: SnapshotHead, base: LogMark): Promise<void> {
    this.#goingTo = base;
    try {
      await this.#ports.store.install(head, base);
    } catch (error) {
      this.#goingTo = this.#base;
      throw error;
    }
    this.#head = head;
    // A leader's snapshot is ahead of them.
    if ((this.#recent.at(-1)?.index ?? 0) < head.index) this.#recent = [];
    this.#base = { index: base.index, term: base.term, checksum: base.checksum };
  }

  #assertKept(index: number): void {
    const first = Math.max(this.#base.index, this.#goingTo.index);
    if (index < first) throw new TruncatedError(first + 1);
  }
}
