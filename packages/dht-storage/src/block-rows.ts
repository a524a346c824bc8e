import type { DatabaseSync } from "node:sqlite";
import { blobOf, textOf, transaction } from "./database.ts";

/** A block whose row was removed. */
export interface GoneBlock {
  readonly hash: string;
  readonly size: number;
  readonly isFile: boolean;
}

/** The rows of blocks. Each change is on disk when it returns. */
export interface BlockRows {
  /** `inline` is undefined where the bytes are a file. */
  find(hash: string): { readonly inline: Uint8Array | undefined } | undefined;
  /** @returns false when it was there already */
  insert(block: { hash: string; size: number; inline: Uint8Array | null; added: number }): boolean;
  /** Removes a damaged block, and the envelopes that need it: their copies are no longer complete. */
  removeDamaged(hash: string): readonly GoneBlock[];
  /** Removes those that no envelope needs. */
  removeUnneeded(hashes: readonly string[]): readonly GoneBlock[];
  /** Removes expired envelopes with what they needed, and unneeded blocks added before `stagedBefore`. */
  sweep(now: number, stagedBefore: number): readonly GoneBlock[];
  totalBytes(): number;
}

const UNNEEDED = "NOT EXISTS (SELECT 1 FROM refs WHERE refs.hash = blocks.hash)";
const GONE = "RETURNING hash, size, bytes IS NULL AS file";

export function blockRows(database: DatabaseSync): BlockRows {
  const find = database.prepare("SELECT bytes FROM blocks WHERE hash = ?");
  const insert = database.prepare(
    "INSERT OR IGNORE INTO blocks(hash, size, bytes, added) VALUES (?, ?, ?, ?)",
  );
  const incomplete = database.prepare(
    "DELETE FROM envelopes WHERE id IN (SELECT envelope FROM refs WHERE hash = ?)",
  );
  const remove = database.prepare(`DELETE FROM blocks WHERE hash = ? ${GONE}`);
  const removeUnneeded = database.prepare(`DELETE FROM blocks WHERE hash = ? AND ${UNNEEDED} ${GONE}`);
  const removeStaged = database.prepare(`DELETE FROM blocks WHERE added <= ? AND ${UNNEEDED} ${GONE}`);
  const expired = database.prepare(
    "SELECT DISTINCT hash FROM refs JOIN envelopes ON envelopes.id = refs.envelope WHERE expires <= ?",
  );
  const expire = database.prepare("DELETE FROM envelopes WHERE expires <= ?");
  const total = database.prepare("SELECT COALESCE(SUM(size), 0) AS bytes FROM blocks");
  const release = (hashes: readonly string[]): GoneBlock[] =>
    hashes.flatMap((hash) => removeUnneeded.all(hash).map(goneBlock));
  return {
    find: (hash) => {
      const row = find.get(hash);
      return row === undefined ? undefined : { inline: blobOf(row, "bytes") };
    },
    insert: ({ hash, size, inline, added }) =>
      transaction(database, () => Number(insert.run(hash, size, inline, added).changes) > 0),
    removeDamaged: (hash) =>
      transaction(database, () => {
        incomplete.run(hash);
        return remove.all(hash).map(goneBlock);
      }),
    removeUnneeded: (hashes) => (hashes.length === 0 ? [] : transaction(database, () => release(hashes))),
    sweep: (now, stagedBefore) =>
      transaction(database, () => {
        const hashes = expired.all(now).map((row) => textOf(row, "hash"));
        expire.run(now);
        return [...release(hashes), ...removeStaged.all(stagedBefore).map(goneBlock)];
      }),
    totalBytes: () => Number(total.get()?.["bytes"]),
  };
}

function goneBlock(row: Readonly<Record<string, unknown>>): GoneBlock {
  return { hash: textOf(row, "hash"), size: Number(row["size"]), isFile: row["file"] === 1 };
}
