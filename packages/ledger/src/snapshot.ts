import { createHash } from "node:crypto";
import { type Canonical, decodeCanonical, encodeCanonical, equalBytes } from "@chorus/kernel";
import type { Outcome } from "./outcome.ts";
import type { LogMark, LogStore, SnapshotHead, SnapshotPart } from "./contract.ts";
import { CorruptError } from "./errors.ts";

/** Largest piece of a machine's state. With it a part fits into one frame. */
const MAX_PIECE_BYTES = 49_152;
/** Outcomes of one part, or half as many and so on where they are large. */
const OUTCOMES = 128;
/** Parts that are read in one go. */
const CHUNK = 16;

/** The first byte of a part says whose it is. */
const OF_OUTCOMES = 0;
const OF_STATE = 1;

/** The pieces of a whole snapshot. */
export interface Pieces {
  readonly outcomes: readonly Uint8Array[];
  readonly state: readonly Uint8Array[];
}

/** Bytes of all pieces. */
export function sizeOf({ outcomes, state }: Pieces): number {
  return [...outcomes, ...state].reduce((bytes, piece) => bytes + piece.length, 0);
}

/** Each remembered outcome, by name. */
export type Outcomes = ReadonlyMap<string, Outcome<unknown>>;

/** The parts of a snapshot, made one by one. @throws RangeError when a piece is too large */
export function* partsOf(
  mark: LogMark,
  outcomes: Outcomes,
  state: Iterable<Uint8Array>,
): Generator<SnapshotPart> {
  let checksum = startOf(mark);
  for (const bytes of tagged(outcomes, state)) {
    checksum = nextOf(checksum, bytes);
    yield { bytes, checksum };
  }
}

/** True when a part directly follows those whose last checksum is given; undefined where it is the first. */
export function continues(mark: LogMark, before: Uint8Array | undefined, part: SnapshotPart): boolean {
  return equalBytes(part.checksum, nextOf(before ?? startOf(mark), part.bytes));
}

/** Reads all parts and compares them with the head. @throws CorruptError */
export async function load(store: LogStore, of: "snapshot" | "staged", head: SnapshotHead): Promise<Pieces> {
  const pieces = { outcomes: new Array<Uint8Array>(), state: new Array<Uint8Array>() };
  let checksum = startOf(head);
  let count = 0;
  for (;;) {
    const parts = await store.readParts(of, count, CHUNK);
    for (const { bytes } of parts) {
      checksum = nextOf(checksum, bytes);
      (bytes[0] === OF_STATE ? pieces.state : pieces.outcomes).push(bytes.subarray(1));
    }
    count += parts.length;
    if (parts.length < CHUNK) break;
  }
  if (count !== head.parts || !equalBytes(checksum, head.digest))
    throw new CorruptError("the snapshot is damaged", head.index);
  return pieces;
}

/** @throws InvalidInputError, TypeError on what is no list of outcomes */
export function outcomesOf<R>(parts: readonly Uint8Array[]): Map<string, Outcome<R>> {
  const outcomes = new Map<string, Outcome<R>>();
  for (const part of parts) {
    const rows = decodeCanonical(part);
    if (!Array.isArray(rows)) throw new TypeError("a part holds no outcomes");
    for (const row of rows) {
      const [id, outcome] = toOutcome<R>(row);
      outcomes.set(id, outcome);
    }
  }
  return outcomes;
}

function toOutcome<R>(row: Canonical): readonly [string, Outcome<R>] {
  const [id, index, term, digest, result] = Array.isArray(row) ? row : [];
  if (typeof id !== "string" || typeof index !== "number" || typeof term !== "number")
    throw new TypeError("a part holds no outcome");
  if (!(digest instanceof Uint8Array)) throw new TypeError("a part holds no outcome");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is what the machine answered: the digest holds
  return [id, { index, term, digest, result: result as R }];
}

function* tagged(outcomes: Outcomes, state: Iterable<Uint8Array>): Generator<Uint8Array> {
  const rows = [...outcomes];
  for (let at = 0; at < rows.length || at === 0; at += OUTCOMES)
    for (const piece of encoded(rows.slice(at, at + OUTCOMES))) yield tag(OF_OUTCOMES, piece);
  for (const piece of state) yield tag(OF_STATE, piece);
}

function* encoded(rows: readonly (readonly [string, Outcome<unknown>])[]): Generator<Uint8Array> {
  const piece = encodeCanonical(
    rows.map(([id, { index, term, digest, result }]) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the encoder refuses what is not canonical
      [id, index, term, digest, result as Canonical],
    ),
  );
  const half = Math.ceil(rows.length / 2);
  if (piece.length <= MAX_PIECE_BYTES || rows.length < 2) yield piece;
  else for (const part of [rows.slice(0, half), rows.slice(half)]) yield* encoded(part);
}

function tag(owner: number, piece: Uint8Array): Uint8Array {
  if (piece.length > MAX_PIECE_BYTES)
    throw new RangeError(`a piece of ${piece.length} bytes is over the limit of ${MAX_PIECE_BYTES}`);
  const part = new Uint8Array(piece.length + 1);
  part[0] = owner;
  part.set(piece, 1);
  return part;
}

function startOf({ index, term, checksum }: LogMark): Uint8Array {
  return sha256(Buffer.from(`chorus/ledger-snapshot/1 ${index} ${term} `), checksum);
}

function nextOf(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  return sha256(before, bytes);
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
