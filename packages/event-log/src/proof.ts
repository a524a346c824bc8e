import { equalBytes } from "@chorus/kernel";
import type { TreeHead } from "./contract.ts";
import { leafHash, nodeHash } from "./tree.ts";

/** A claim that an entry is in a log. */
export interface InclusionClaim {
  /** The entry's encoding. */
  readonly bytes: Uint8Array;
  readonly seq: number;
  /** From a checkpoint whose signature was checked. */
  readonly head: TreeHead;
  readonly proof: readonly Uint8Array[];
}

/** A claim that one state of a log goes on from another. */
export interface ConsistencyClaim {
  readonly older: TreeHead;
  readonly newer: TreeHead;
  readonly proof: readonly Uint8Array[];
}

/** A pair of positions that climbs the tree: the node, and the last node of its level. */
interface Climb {
  node: number;
  last: number;
}

/** True when the proof shows the entry at its place (RFC 9162, section 2.1.3.2); never throws. */
export function verifyInclusion({ bytes, seq, head, proof }: InclusionClaim): boolean {
  if (!isCount(seq) || !isCount(head.size) || seq >= head.size) return false;
  const climb: Climb = { node: seq, last: head.size - 1 };
  let hash = leafHash(bytes);
  for (const sibling of proof) {
    if (climb.last === 0) return false;
    if (isRight(climb)) hash = nodeHash(sibling, hash);
    else hash = nodeHash(hash, sibling);
    ascend(climb);
  }
  return climb.last === 0 && equalBytes(hash, head.root);
}

/** True when the newer tree starts with the older one (RFC 9162, section 2.1.4.2); never throws. */
export function verifyConsistency({ older, newer, proof }: ConsistencyClaim): boolean {
  if (!isCount(older.size) || !isCount(newer.size) || older.size < 1) return false;
  if (older.size === newer.size) return proof.length === 0 && equalBytes(older.root, newer.root);
  if (older.size > newer.size) return false;
  const climb: Climb = { node: older.size - 1, last: newer.size - 1 };
  while (climb.node % 2 === 1) halve(climb);
  // A complete older tree is itself the first shared subtree, so the proof does not repeat it.
  const roots = climbBoth(climb, climb.node === 0 ? [older.root, ...proof] : proof);
  return roots !== undefined && equalBytes(roots.older, older.root) && equalBytes(roots.newer, newer.root);
}

/** The roots of both trees that the shared subtrees give; undefined when their number is wrong. */
function climbBoth(
  climb: Climb,
  [first, ...rest]: readonly Uint8Array[],
): { older: Uint8Array; newer: Uint8Array } | undefined {
  if (first === undefined) return undefined;
  let older = first;
  let newer = first;
  for (const sibling of rest) {
    if (climb.last === 0) return undefined;
    if (isRight(climb)) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
    } else newer = nodeHash(newer, sibling);
    ascend(climb);
  }
  return climb.last === 0 ? { older, newer } : undefined;
}

/** A right child, or the last of its level: then its sibling stands to the left. */
function isRight({ node, last }: Climb): boolean {
  return node % 2 === 1 || node === last;
}

/** To the parent; a last node without a sibling is carried up until it has one. */
function ascend(climb: Climb): void {
  if (isRight(climb)) while (climb.node % 2 === 0 && climb.node !== 0) halve(climb);
  halve(climb);
}

function halve(climb: Climb): void {
  climb.node = Math.floor(climb.node / 2);
  climb.last = Math.floor(climb.last / 2);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
