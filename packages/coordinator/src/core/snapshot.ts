import { type Canonical, decodeCanonical, encodeCanonical } from "@chorus/kernel";
import { SnapshotError } from "../errors.ts";
import type { TaskRecord } from "../contract-ports.ts";
import type { TaskSpec } from "../contract-task.ts";
import { isTaskId } from "../task-id.ts";
import { specSchema } from "../task-spec.ts";
import { indexDependencies } from "./dependencies.ts";
import type { Tasks } from "./tasks.ts";
import { transitions } from "./transitions.ts";

/** What a ledger keeps and sends as one piece. */
const PART_BYTES = 49_152;
/** A task's events are bounded by its attempts and their progress, far below this. */
const MAX_RECORD_BYTES = 16_777_216;
const LENGTH_BYTES = 4;
const FORMAT = "chorus.tasks/1";

/**
 * The tasks as a stream of length-prefixed DAG-CBOR values, a header and then each task in the order of submission, cut
 * into parts. The records are never changed in place, so taking their list now is a snapshot; they are encoded part by
 * part, as the ledger finds the time.
 */
export function snapshotTasks({ tasks, order }: Pick<Tasks, "tasks" | "order">): Iterable<Uint8Array> {
  const records = order.flatMap((id) => tasks.get(id) ?? []);
  return inParts(encodedOf(records));
}

/** The state that a snapshot was taken of. @throws 'coordinator/snapshot-malformed' */
export function restoreTasks(parts: Iterable<Uint8Array>): Tasks {
  const state: Tasks = { tasks: new Map(), order: [], dependents: new Map() };
  let expected: number | undefined;
  for (const bytes of valuesIn(parts)) {
    if (expected === undefined) expected = countIn(bytes);
    else {
      const record = recordIn(bytes);
      if (state.tasks.has(record.id)) throw new SnapshotError("holds a task twice");
      state.tasks.set(record.id, record);
      state.order.push(record.id);
      indexDependencies(state, record);
    }
  }
  if (expected !== state.order.length) throw new SnapshotError("does not hold as many tasks as it says");
  return state;
}

function* encodedOf(records: readonly TaskRecord[]): Generator<Uint8Array> {
  yield encodeCanonical({ $type: FORMAT, tasks: records.length });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a record was decoded from commands; encoding checks
  for (const { spec: _, ...rest } of records) yield encodeCanonical(rest as unknown as Canonical);
}

/** Packs the values one after the other; a part is full before the next one begins. */
function* inParts(values: Iterable<Uint8Array>): Generator<Uint8Array> {
  let part = new Uint8Array(PART_BYTES);
  let used = 0;
  for (const piece of piecesOf(values)) {
    const first = piece.subarray(0, PART_BYTES - used);
    part.set(first, used);
    used += first.length;
    if (used < PART_BYTES) continue;
    yield part;
    part = new Uint8Array(PART_BYTES);
    part.set(piece.subarray(first.length));
    used = piece.length - first.length;
  }
  if (used > 0) yield part.slice(0, used);
}

/** Each value behind its length, in pieces shorter than a part, so that none ends in more than two of them. */
function* piecesOf(values: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const bytes of values) {
    yield lengthOf(bytes);
    for (let at = 0; at < bytes.length; at += PART_BYTES / 2) yield bytes.subarray(at, at + PART_BYTES / 2);
  }
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** Puts the values together again, wherever they were cut. */
function* valuesIn(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  let held = new Uint8Array(0);
  for (const part of parts) {
    held = joined(held, part);
    let at = 0;
    for (let end = endOf(held, at); end !== undefined && end <= held.length; end = endOf(held, at)) {
      yield held.subarray(at + LENGTH_BYTES, end);
      at = end;
    }
    held = held.slice(at);
  }
  if (held.length > 0) throw new SnapshotError("ends within a task");
}

/** Where the value that begins here ends; undefined while its length is not whole. */
function endOf(bytes: Uint8Array, at: number): number | undefined {
  if (bytes.length - at < LENGTH_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
  if (length > MAX_RECORD_BYTES) throw new SnapshotError("holds a task that is too large");
  return at + LENGTH_BYTES + length;
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(before.length + after.length);
  bytes.set(before);
  bytes.set(after, before.length);
  return bytes;
}

function countIn(bytes: Uint8Array): number {
  const header = mapIn(bytes);
  if (header["$type"] !== FORMAT || typeof header["tasks"] !== "number")
    throw new SnapshotError("does not begin as one of tasks");
  return header["tasks"];
}

/** Every member was checked when its command was applied; here it is enough that this is such a record. */
function recordIn(bytes: Uint8Array): TaskRecord {
  const record = mapIn(bytes);
  const { id, state, events, specBytes } = record;
  const isRecord = isTaskId(id) && typeof state === "string" && state in transitions && Array.isArray(events);
  if (!isRecord || !(specBytes instanceof Uint8Array)) throw new SnapshotError("holds what is no task");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the ledger checks a snapshot's digest
  return { ...record, spec: specIn(specBytes) } as unknown as TaskRecord;
}

function specIn(bytes: Uint8Array): TaskSpec {
  const parsed = specSchema.safeParse(decoded(bytes));
  if (!parsed.success) throw new SnapshotError("holds a task without a right spec");
  return parsed.data;
}

function mapIn(bytes: Uint8Array): { readonly [key: string]: Canonical } {
  const value = decoded(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array)
    throw new SnapshotError("holds what is no task");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Array.isArray does not narrow readonly arrays
  return value as { readonly [key: string]: Canonical };
}

function decoded(bytes: Uint8Array): Canonical {
  try {
    return decodeCanonical(bytes, { maxBytes: MAX_RECORD_BYTES });
  } catch (cause) {
    throw new SnapshotError("is not in canonical form", cause);
  }
}
