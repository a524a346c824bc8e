import type { Disk } from "./contract.ts";
import { DiskFullError } from "./errors.ts";
import type { Random } from "./random.ts";

type Files = Map<string, Uint8Array>;

type Operation =
  | { readonly kind: "write" | "append"; readonly file: string; readonly bytes: Uint8Array }
  | { readonly kind: "rename"; readonly file: string; readonly to: string }
  | { readonly kind: "remove"; readonly file: string };

/** The disk of one machine, which outlives its processes. */
export class MachineDisk implements Disk {
  /** Numbers, since faults overlap. */
  full = 0;
  lying = 0;
  /** What a read sees. */
  #cached: Files = new Map();
  #durable: Files = new Map();
  #pending: Operation[] = [];

  read(file: string): Uint8Array | undefined {
    return this.#cached.get(file)?.slice();
  }

  write(file: string, bytes: Uint8Array): void {
    this.#store({ kind: "write", file, bytes: bytes.slice() });
  }

  append(file: string, bytes: Uint8Array): void {
    this.#store({ kind: "append", file, bytes: bytes.slice() });
  }

  rename(from: string, to: string): void {
    if (this.#cached.has(from)) this.#do({ kind: "rename", file: from, to });
  }

  remove(file: string): void {
    if (this.#cached.has(file)) this.#do({ kind: "remove", file });
  }

  sync(): void {
    if (this.lying > 0) return;
    this.#durable = new Map(this.#cached);
    this.#pending = [];
  }

  list(): readonly string[] {
    return [...this.#cached.keys()].toSorted();
  }

  durable(file: string): Uint8Array | undefined {
    return this.#durable.get(file)?.slice();
  }

  /** The process ended; what becomes of the writes that were not synced. */
  crash(unsynced: "kept" | "lost" | "torn", random: Random): void {
    // A killed process loses nothing, and nothing becomes durable: the power may be cut later.
    if (unsynced === "kept") return;
    if (unsynced === "torn") for (const operation of this.#pending) tear(this.#durable, operation, random);
    this.#cached = new Map(this.#durable);
    this.#pending = [];
  }

  #store(operation: Operation): void {
    if (this.full > 0) throw new DiskFullError(operation.file);
    this.#do(operation);
  }

  #do(operation: Operation): void {
    apply(this.#cached, operation);
    this.#pending.push(operation);
  }
}

function apply(files: Files, operation: Operation): void {
  const { file } = operation;
  const old = files.get(file) ?? new Uint8Array();
  if (operation.kind === "write") files.set(file, operation.bytes);
  else if (operation.kind === "append") files.set(file, joined(old, operation.bytes));
  else {
    files.delete(file);
    if (operation.kind === "rename") files.set(operation.to, old);
  }
}

/**
 * Operations reach a disk one by one and in any order: each is done, not done, or, if it carries data, done in part.
 * A rename may arrive before the data of the file it renames, which is then empty.
 */
function tear(files: Files, operation: Operation, random: Random): void {
  const fate = random();
  if (fate < 1 / 3) return;
  const whole = fate > 2 / 3 || !("bytes" in operation);
  apply(files, whole ? operation : { ...operation, bytes: part(operation.bytes, random) });
}

/** Its beginning; sometimes in its full length, with zeros where the data never arrived. */
function part(bytes: Uint8Array, random: Random): Uint8Array {
  const length = Math.floor(random() * (bytes.length + 1));
  if (random() < 0.5) return bytes.slice(0, length);
  const zeroed = new Uint8Array(bytes.length);
  zeroed.set(bytes.subarray(0, length));
  return zeroed;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
