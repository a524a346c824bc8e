import { decodeCanonical, equalBytes } from "@chorus/kernel";
import type { LogEntry } from "./contract.ts";
import { EventLogError } from "./errors.ts";
import type { LogStore, Row } from "./store.ts";
import { extend, type Frontier, HASH_BYTES, leafHash, type NodeReader, rowOfNode } from "./tree.ts";

/** What the kernel's encoder allows; its decoder allows less unless told. */
const MAX_DEPTH = 64;

/** Entries `from` to `to − 1`, each checked against its leaf hash. @throws EventLogError `corrupt` */
export function readEntries(store: LogStore, from: number, to: number): LogEntry[] {
  const rows = store.rows(from, to - from);
  const entries = rows.map((row, i) => readEntry(row, from + i));
  if (entries.length < to - from) throw damaged(`entry ${from + entries.length} is missing`);
  return entries;
}

function readEntry({ seq, bytes, nodes }: Row, expected: number): LogEntry {
  if (seq !== expected) throw damaged(`entry ${expected} is missing`);
  if (!equalBytes(leafHash(bytes), nodes.subarray(0, HASH_BYTES)))
    throw damaged(`entry ${seq} does not match its hash`);
  try {
    return { seq, bytes, event: decodeCanonical(bytes, { maxDepth: MAX_DEPTH }) };
  } catch (cause) {
    throw damaged(`entry ${seq} cannot be decoded`, cause);
  }
}

/** Tree nodes out of the rows that completed them. @throws EventLogError `corrupt` */
export function nodeReader(store: LogStore): NodeReader {
  return (level, index) => {
    const seq = rowOfNode(level, index);
    const start = level * HASH_BYTES;
    const hash = store.row(seq)?.nodes.slice(start, start + HASH_BYTES);
    if (hash?.length !== HASH_BYTES) throw damaged(`the tree nodes of entry ${seq} are missing`);
    return hash;
  };
}

/**
 * Hashes a page of rows again, all their tree nodes included, and adds what is wrong to `problems`. The tree goes
 * on from the stored leaf hash, so that one changed entry is one problem; the root vouches for the leaf hashes.
 */
export function auditRows(rows: readonly Row[], start: Frontier, problems: string[]): Frontier {
  let frontier = start;
  for (const { seq, bytes, nodes } of rows) {
    if (seq !== frontier.size) throw damaged(`entry ${frontier.size} is missing`);
    const leaf = nodes.slice(0, HASH_BYTES);
    if (!equalBytes(leafHash(bytes), leaf)) problems.push(`entry ${seq} does not match its hash`);
    const extended = extend(frontier, leaf);
    if (!equalBytes(new Uint8Array(Buffer.concat(extended.nodes)), nodes))
      problems.push(`the tree nodes of entry ${seq} are wrong`);
    frontier = extended.frontier;
  }
  return frontier;
}

export function damaged(problem: string, cause?: unknown): EventLogError {
  return new EventLogError("corrupt", { detail: { problem }, cause });
}
