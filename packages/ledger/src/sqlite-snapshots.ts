import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { type Canonical, decodeCanonical, encodeCanonical, equalBytes } from "@chorus/kernel";
import type { LogMark, SnapshotHead, SnapshotPart } from "./contract.ts";
import { LogStoreError } from "./errors.ts";

/** `slots`: 0 is the snapshot, 1 what is staged. A part's id is its number within its generation's range. */
export const SNAPSHOT_SCHEMA = `
CREATE TABLE IF NOT EXISTS slots (
  slot INTEGER PRIMARY KEY, generation INTEGER NOT NULL, content BLOB NOT NULL, seal BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, checksum BLOB NOT NULL) STRICT;
`;

/** Parts of one generation at most: 24 bits of an id. */
const RANGE = 16_777_216;
const SNAPSHOT = 0;
const STAGED = 1;
/** Rows that one sweep removes. */
const SWEPT_ENTRIES = 1024;
const SWEPT_PARTS = 32;

/** What the snapshot slot holds. */
export interface KeptSnapshot {
  readonly head: SnapshotHead;
  readonly base: LogMark;
}

interface Slot {
  readonly generation: number;
  readonly content: Readonly<Record<string, Canonical>>;
}

/** The snapshot's side of a SQLite log; its caller holds the transactions. */
export class SqliteSnapshots {
  readonly #statements: ReturnType<typeof statements>;
  #kept: KeptSnapshot | undefined;
  #read = false;

  constructor(database: DatabaseSync) {
    this.#statements = statements(database);
  }

  /** Read from the disk once, as this process alone writes it. */
  get kept(): KeptSnapshot | undefined {
    if (!this.#read) this.#kept = toKept(this.#slot(SNAPSHOT)?.content);
    this.#read = true;
    return this.#kept;
  }

  readParts(of: "snapshot" | "staged", from: number, limit: number): readonly SnapshotPart[] {
    const slot = this.#slot(of === "snapshot" ? SNAPSHOT : STAGED);
    if (slot === undefined) return [];
    const first = slot.generation * RANGE;
    const rows = this.#statements.read.all(first + from, first + RANGE, limit);
    const gap = rows.findIndex(({ id }, i) => id !== first + from + i);
    return (gap === -1 ? rows : rows.slice(0, gap)).map(toPart);
  }

  staged(): { readonly name: string; readonly parts: number } | undefined {
    const slot = this.#slot(STAGED);
    const name = slot?.content["name"];
    if (slot === undefined || typeof name !== "string") return undefined;
    return { name, parts: this.#count(slot.generation) };
  }

  stage(name: string, from: number, parts: readonly SnapshotPart[]): void {
    if (from === 0) this.#begin(name);
    const slot = this.#slot(STAGED);
    if (slot?.content["name"] !== name || this.#count(slot.generation) !== from)
      throw new LogStoreError(`part ${from} does not follow`);
    for (const [i, { bytes, checksum }] of parts.entries())
      this.#statements.insert.run(slot.generation * RANGE + from + i, bytes, checksum);
  }

  unstage(): void {
    this.#statements.drop.run(STAGED);
  }

  /** @throws LogStoreError when what is staged is not that snapshot, or is older than the one that is kept */
  install(kept: KeptSnapshot): void {
    const { head, base } = kept;
    const slot = this.#slot(STAGED);
    const count = slot === undefined ? 0 : this.#count(slot.generation);
    const last = this.readParts("staged", count - 1, 1)[0];
    const isWhole = count === head.parts && last !== undefined && equalBytes(last.checksum, head.digest);
    if (slot === undefined || !isWhole) throw new LogStoreError("the staged parts are not that snapshot");
    if (!isNewer(kept, this.kept)) throw new LogStoreError("an older snapshot is not installed");
    this.#put(SNAPSHOT, slot.generation, { head: { ...head }, base: { ...base } });
    this.unstage();
  }

  /** After a transaction, whether it was kept or not. */
  refresh(): void {
    this.#read = false;
  }

  /** @returns false when nothing was left to remove */
  sweep(): boolean {
    const { sweepEntries, sweepParts } = this.#statements;
    const [kept, staged] = [this.#slot(SNAPSHOT)?.generation ?? -1, this.#slot(STAGED)?.generation ?? -1];
    const entries = sweepEntries.run(this.kept?.base.index ?? 0, SWEPT_ENTRIES).changes;
    return Number(entries) + Number(sweepParts.run(kept, staged, SWEPT_PARTS).changes) > 0;
  }

  #begin(name: string): void {
    const highest = this.#statements.highest.get()?.["id"];
    const parts = typeof highest === "number" ? Math.floor(highest / RANGE) : 0;
    const generation = Math.max(
      parts,
      this.#slot(SNAPSHOT)?.generation ?? 0,
      this.#slot(STAGED)?.generation ?? 0,
    );
    this.#put(STAGED, generation + 1, { name });
  }

  #count(generation: number): number {
    return Number(this.#statements.count.get(generation * RANGE, (generation + 1) * RANGE)?.["parts"] ?? 0);
  }

  #put(slot: number, generation: number, content: Canonical): void {
    const bytes = encodeCanonical(content);
    this.#statements.put.run(slot, generation, bytes, sealOf(generation, bytes));
  }

  #slot(slot: number): Slot | undefined {
    const row = this.#statements.slot.get(slot);
    if (row === undefined) return undefined;
    const { generation, content, seal } = row;
    if (typeof generation !== "number" || !(content instanceof Uint8Array) || !(seal instanceof Uint8Array))
      throw new LogStoreError("the snapshot's row is damaged");
    if (!equalBytes(seal, sealOf(generation, content)))
      throw new LogStoreError("the snapshot's row is damaged");
    return { generation, content: fields(decodeCanonical(content)) };
  }
}

function statements(database: DatabaseSync) {
  return {
    slot: database.prepare("SELECT generation, content, seal FROM slots WHERE slot = ?"),
    put: database.prepare(
      "INSERT OR REPLACE INTO slots (slot, generation, content, seal) VALUES (?, ?, ?, ?)",
    ),
    drop: database.prepare("DELETE FROM slots WHERE slot = ?"),
    read: database.prepare(
      "SELECT id, bytes, checksum FROM parts WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
    ),
    count: database.prepare("SELECT count(*) AS parts FROM parts WHERE id >= ? AND id < ?"),
    highest: database.prepare("SELECT max(id) AS id FROM parts"),
    insert: database.prepare("INSERT INTO parts (id, bytes, checksum) VALUES (?, ?, ?)"),
    sweepEntries: database.prepare(
      "DELETE FROM entries WHERE idx IN (SELECT idx FROM entries WHERE idx <= ? ORDER BY idx LIMIT ?)",
    ),
    sweepParts: database.prepare(
      "DELETE FROM parts WHERE id IN (SELECT id FROM parts WHERE id >> 24 NOT IN (?, ?) LIMIT ?)",
    ),
  };
}

function isNewer({ head, base }: KeptSnapshot, before: KeptSnapshot | undefined): boolean {
  const isAhead = head.index > (before?.head.index ?? 0) && base.index >= (before?.base.index ?? 0);
  return isAhead && base.index <= head.index;
}

function toKept(content: Slot["content"] | undefined): KeptSnapshot | undefined {
  if (content === undefined) return undefined;
  const [head, base] = [fields(content["head"]), fields(content["base"])];
  const { parts, digest } = head;
  if (typeof parts !== "number" || !(digest instanceof Uint8Array))
    throw new LogStoreError("the snapshot's row is damaged");
  return { head: { ...toMark(head), parts, digest }, base: toMark(base) };
}

function toMark({ index, term, checksum }: Slot["content"]): LogMark {
  if (typeof index !== "number" || typeof term !== "number" || !(checksum instanceof Uint8Array))
    throw new LogStoreError("the snapshot's row is damaged");
  return { index, term, checksum };
}

function toPart({ bytes, checksum }: Record<string, unknown>): SnapshotPart {
  if (!(bytes instanceof Uint8Array) || !(checksum instanceof Uint8Array))
    throw new LogStoreError("a part of the snapshot is damaged");
  return { bytes, checksum };
}

function fields(value: Canonical | undefined): Slot["content"] {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    throw new LogStoreError("the snapshot's row is damaged");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other members of Canonical are excluded above
  return value as Slot["content"];
}

/** Over the generation too: the row says which parts are its own. */
function sealOf(generation: number, content: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(`${generation} `).update(content).digest());
}
