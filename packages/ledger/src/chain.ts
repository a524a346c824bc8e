import { createHash } from "node:crypto";
import { equalBytes } from "@chorus/kernel";
import type { StoredEntry } from "./contract.ts";

/** Where a log stands: equal positions mean equal logs up to there. */
export interface Position {
  readonly index: number;
  readonly term: number;
  readonly checksum: Uint8Array;
}

/** A proposal on its way into the log. */
export interface Draft {
  readonly id: string;
  readonly command: Uint8Array;
}

export const GENESIS: Position = { index: 0, term: 0, checksum: sha256(Buffer.from("chorus/ledger/1")) };

/** Chains drafts to a log's end. */
export function seal(after: Position, term: number, drafts: readonly Draft[]): readonly StoredEntry[] {
  let { index, checksum } = after;
  return drafts.map(({ id, command }) => {
    index++;
    checksum = checksumOf(checksum, { index, term, id, command });
    return { index, term, id, command, checksum };
  });
}

/** True when the entry directly follows the position and is unharmed. */
export function follows(after: Position, entry: StoredEntry): boolean {
  return (
    entry.index === after.index + 1 &&
    entry.term >= after.term &&
    equalBytes(entry.checksum, checksumOf(after.checksum, entry))
  );
}

/** Fixed widths and lengths, so that no two entries have the same bytes. */
function checksumOf(previous: Uint8Array, entry: Omit<StoredEntry, "checksum">): Uint8Array {
  const id = Buffer.from(entry.id);
  const head = Buffer.alloc(24);
  head.writeBigUInt64BE(BigInt(entry.index), 0);
  head.writeBigUInt64BE(BigInt(entry.term), 8);
  head.writeUInt32BE(id.length, 16);
  head.writeUInt32BE(entry.command.length, 20);
  return sha256(previous, head, id, entry.command);
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
