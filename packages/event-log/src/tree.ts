import { createHash } from "node:crypto";

/** RFC 6962 Merkle tree. Sizes go past 2³¹, so indices are halved by arithmetic and not by shifts. */

export const HASH_BYTES = 32;

export function leafHash(bytes: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), bytes);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(1), left, right);
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** What is needed to go on: the roots of the complete subtrees, largest first. */
export interface Frontier {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const emptyFrontier: Frontier = { size: 0, hashes: [] };

/** Adds a leaf. `nodes` are the hashes it completes: its own (level 0), then one for each subtree it closes. */
export function extend(frontier: Frontier, leaf: Uint8Array): { frontier: Frontier; nodes: Uint8Array[] } {
  const nodes = [leaf];
  const hashes = [...frontier.hashes];
  let hash = leaf;
  for (let n = frontier.size; n % 2 === 1; n = Math.floor(n / 2)) {
    hash = nodeHash(hashes.pop() ?? hash, hash);
    nodes.push(hash);
  }
  hashes.push(hash);
  return { frontier: { size: frontier.size + 1, hashes }, nodes };
}

export function rootOf({ hashes }: Frontier): Uint8Array {
  const [last, ...rest] = hashes.toReversed();
  if (last === undefined) return sha256();
  return rest.reduce((right, left) => nodeHash(left, right), last);
}

/** Gives the root of the complete subtree over leaves `index · 2^level` to `(index + 1) · 2^level − 1`. */
export type NodeReader = (level: number, index: number) => Uint8Array;

/** The leaf whose row holds a node: the last one below it. */
export function rowOfNode(level: number, index: number): number {
  return (index + 1) * 2 ** level - 1;
}

export function frontierOf(size: number, node: NodeReader): Frontier {
  const hashes: Uint8Array[] = [];
  let from = 0;
  for (let level = 53; level >= 0; level--) {
    const width = 2 ** level;
    if (size - from < width) continue;
    hashes.push(node(level, from / width));
    from += width;
  }
  return { size, hashes };
}

/** The tree over leaves `from` to `to − 1`, read through stored nodes. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly node: NodeReader;
}

function rangeHash({ from, to, node }: Range): Uint8Array {
  const size = to - from;
  const level = Math.log2(size);
  if (Number.isInteger(level)) return node(level, from / size);
  const middle = from + splitPoint(size);
  return nodeHash(rangeHash({ from, to: middle, node }), rangeHash({ from: middle, to, node }));
}

/** Largest power of two below `size`. */
function splitPoint(size: number): number {
  let width = 1;
  while (width * 2 < size) width *= 2;
  return width;
}

/** PATH of RFC 6962, section 2.1.1: from the leaf's sibling up. `0 ≤ seq < size`. */
export function auditPath(seq: number, size: number, node: NodeReader): Uint8Array[] {
  const path: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (seq < middle) {
      path.push(rangeHash({ from: middle, to, node }));
      to = middle;
    } else {
      path.push(rangeHash({ from, to: middle, node }));
      from = middle;
    }
  }
  return path.toReversed();
}

/** PROOF of RFC 6962, section 2.1.2. `1 ≤ older ≤ newer`. */
export function consistencyPath(older: number, newer: number, node: NodeReader): Uint8Array[] {
  const path: Uint8Array[] = [];
  let from = 0;
  let to = newer;
  while (to !== older) {
    const middle = from + splitPoint(to - from);
    if (older <= middle) {
      path.push(rangeHash({ from: middle, to, node }));
      to = middle;
    } else {
      path.push(rangeHash({ from, to: middle, node }));
      from = middle;
    }
  }
  // The whole older tree is known to the reader; any other subtree that the two share has to be named.
  if (from > 0) path.push(rangeHash({ from, to, node }));
  return path.toReversed();
}
