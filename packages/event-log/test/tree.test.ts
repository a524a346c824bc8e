import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifyConsistency, verifyInclusion } from "../src/index.ts";
import {
  auditPath,
  consistencyPath,
  emptyFrontier,
  extend,
  frontierOf,
  leafHash,
  type NodeReader,
  rootOf,
} from "../src/tree.ts";
import { scaled } from "./fixtures/setup.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** MTH as RFC 6962, section 2.1, writes it down: slow, and independent of the code under test. */
function reference(leaves: readonly Uint8Array[]): Buffer {
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash("sha256").update(Buffer.concat(parts)).digest();
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return sha256(Uint8Array.of(0), only);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1), reference(leaves.slice(0, k)), reference(leaves.slice(k)));
}

/** A tree in memory. */
function grow(leaves: readonly Uint8Array[]): { roots: Uint8Array[]; node: NodeReader } {
  const rows: Uint8Array[][] = [];
  const roots = [rootOf(emptyFrontier)];
  let frontier = emptyFrontier;
  for (const leaf of leaves) {
    const extended = extend(frontier, leafHash(leaf));
    frontier = extended.frontier;
    rows.push(extended.nodes);
    roots.push(rootOf(frontier));
  }
  return { roots, node: (level, index) => rows[(index + 1) * 2 ** level - 1]![level]! };
}

describe("the tree", () => {
  // Leaves and roots that Certificate Transparency implementations share as their reference.
  const leaves = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
  ];
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];
  it("has the reference roots of Certificate Transparency", () => {
    expect(grow(leaves.map((leaf) => Buffer.from(leaf, "hex"))).roots.map(hex)).toEqual(roots);
  });
  it("has the roots that RFC 6962 defines, however it is grown", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 8 }), { maxLength: 70 }), (leaves) => {
        const { roots, node } = grow(leaves);
        for (const [size, root] of roots.entries()) {
          expect(hex(root)).toBe(reference(leaves.slice(0, size)).toString("hex"));
          expect(hex(rootOf(frontierOf(size, node)))).toBe(hex(root));
        }
      }),
      { numRuns: scaled(20) },
    );
  });
});

describe("proofs", () => {
  const leaves = Array.from({ length: 150 }, (_, i) => Uint8Array.of(i, i >> 8));
  const { roots, node } = grow(leaves);
  const headOf = (size: number): { size: number; root: Uint8Array } => ({ size, root: roots[size]! });

  it("of inclusion hold for every entry in every size up to 66", () => {
    for (let size = 1; size <= 66; size++)
      for (let seq = 0; seq < size; seq++) {
        const proof = auditPath(seq, size, node);
        expect(verifyInclusion({ bytes: leaves[seq]!, seq, head: headOf(size), proof })).toBe(true);
        expect(proof.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
      }
  });
  it("of consistency hold for every pair of sizes up to 66", () => {
    for (let newer = 1; newer <= 66; newer++)
      for (let older = 1; older <= newer; older++) {
        const proof = consistencyPath(older, newer, node);
        expect(verifyConsistency({ older: headOf(older), newer: headOf(newer), proof })).toBe(true);
      }
  });

  /** Changes one thing about a proof. */
  const tampering = fc.oneof(
    fc.record({ kind: fc.constantFrom("drop", "double", "swap"), at: fc.nat(), bit: fc.constant(0) }),
    fc.record({ kind: fc.constant("flip"), at: fc.nat(), bit: fc.nat(255) }),
    fc.record({ kind: fc.constant("add"), at: fc.nat(), bit: fc.constant(0) }),
  );
  const tamper = (
    proof: readonly Uint8Array[],
    { kind, at, bit }: { kind: string; at: number; bit: number },
  ): Uint8Array[] => {
    const copy = proof.map((hash) => hash.slice());
    const i = copy.length === 0 ? 0 : at % copy.length;
    const hash = copy[i];
    if (kind === "add" || hash === undefined) copy.splice(i, 0, new Uint8Array(32));
    else if (kind === "flip") hash[bit >> 3]! ^= 1 << (bit & 7);
    else if (kind === "drop") copy.splice(i, 1);
    else if (kind === "double") copy.splice(i, 0, hash.slice());
    else copy.reverse();
    return copy;
  };
  const isSame = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
    a.map(hex).join(" ") === b.map(hex).join(" ");

  it("of inclusion do not hold once anything about them is changed", () => {
    const size = fc.integer({ min: 1, max: 150 });
    const claim = size.chain((n) =>
      fc.record({ size: fc.constant(n), seq: fc.nat(n - 1), other: fc.nat(n - 1) }),
    );
    fc.assert(
      fc.property(claim, tampering, ({ size, seq, other }, change) => {
        const proof = auditPath(seq, size, node);
        const head = headOf(size);
        const bytes = leaves[seq]!;
        const changed = tamper(proof, change);
        if (!isSame(changed, proof))
          expect(verifyInclusion({ bytes, seq, head, proof: changed })).toBe(false);
        if (other !== seq) {
          expect(verifyInclusion({ bytes, seq: other, head, proof })).toBe(false);
          expect(verifyInclusion({ bytes: leaves[other]!, seq, head, proof })).toBe(false);
        }
        if (size > 1) expect(verifyInclusion({ bytes, seq, head: headOf(size - 1), proof })).toBe(false);
      }),
      { numRuns: scaled(500) },
    );
  });
  it("of consistency do not hold once anything about them is changed", () => {
    const pair = fc.record({ a: fc.integer({ min: 1, max: 150 }), b: fc.integer({ min: 1, max: 150 }) });
    fc.assert(
      fc.property(pair, tampering, ({ a, b }, change) => {
        const [older, newer] = [headOf(Math.min(a, b)), headOf(Math.max(a, b))];
        const proof = consistencyPath(older.size, newer.size, node);
        const changed = tamper(proof, change);
        if (!isSame(changed, proof)) expect(verifyConsistency({ older, newer, proof: changed })).toBe(false);
        const forged = { ...older, root: older.root.map((byte) => byte ^ 1) };
        expect(verifyConsistency({ older: forged, newer, proof })).toBe(false);
        if (older.size < newer.size)
          expect(verifyConsistency({ older: newer, newer: older, proof })).toBe(false);
      }),
      { numRuns: scaled(500) },
    );
  });
  it("do not hold, and do not throw, for numbers that are none", () => {
    for (const size of [Number.NaN, -1, 0, 1.5, Infinity]) {
      const head = { size, root: roots[1]! };
      expect(verifyInclusion({ bytes: leaves[0]!, seq: 0, head, proof: [] })).toBe(false);
      expect(verifyInclusion({ bytes: leaves[0]!, seq: size, head: headOf(1), proof: [] })).toBe(size === 0);
      expect(verifyConsistency({ older: head, newer: headOf(9), proof: [] })).toBe(false);
      expect(verifyConsistency({ older: headOf(1), newer: head, proof: [] })).toBe(false);
    }
  });
});
