import type { Disk } from "@chorus/sim";
import { GENESIS, type Position, type StoredEntry } from "./ledger-core.ts";

interface Transaction {
  readonly keep: number;
  readonly committed: number;
  readonly entries: readonly StoredEntry[];
  /** A snapshot stands for everything up to here. */
  readonly base?: Position;
}

/** What a process finds on its disk. */
export interface Found {
  readonly base: Position;
  readonly entries: readonly StoredEntry[];
  readonly committed: number;
}

const FOLDER = "log/";
/** SHA-256. */
const CHECKSUM = 32;

/** Transactions in one file: a disk of few and small files is what the simulation copies fastest. */
const CHUNK = 8;

/**
 * The log store of a simulated peer: transactions behind each other, of which the last counts whole or not at all, as
 * in SQLite's journal. Whoever writes calls `disk.sync()` before the transaction counts.
 */
export class LogDisk {
  readonly #disk: Disk;
  #file = 0;
  #count = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Replays the transactions. What was not written to its end is skipped, and the next file begins. */
  open(): Found {
    let entries: StoredEntry[] = [];
    let committed = 0;
    let base = GENESIS;
    for (const file of this.#disk.list().filter((name) => name.startsWith(FOLDER))) {
      for (const transaction of parse(this.#disk.read(file))) {
        base = transaction.base ?? base;
        const { keep } = transaction;
        const kept = entries.filter(({ index }) => index <= keep && index > base.index);
        entries = [...kept, ...transaction.entries];
        committed = Math.max(committed, transaction.committed);
      }
      this.#file = Number(file.slice(FOLDER.length)) + 1;
    }
    return { base, entries, committed };
  }

  /** @throws 'sim/disk-full' when nothing of it was written */
  write(transaction: Transaction): void {
    this.#disk.append(`${FOLDER}${fileName(this.#file)}`, bytesOf(transaction));
    this.#count++;
    if (this.#count % CHUNK === 0) this.#file++;
  }
}

function fileName(number: number): string {
  return String(number).padStart(6, "0");
}

type Head = readonly [
  keep: number,
  committed: number,
  entries: readonly (readonly [index: number, term: number, id: string, length: number])[],
  base: readonly [index: number, term: number, checksum: string] | null | undefined,
];

/** Length, head, commands and checksums as they are, and the length again, which tells a whole one from a ruin. */
function bytesOf({ keep, committed, entries, base }: Transaction): Uint8Array {
  const heads = entries.map(({ index, term, id, command }) => [index, term, id, command.length]);
  const mark = base && [base.index, base.term, Buffer.from(base.checksum).toString("hex")];
  const head = Buffer.from(JSON.stringify([keep, committed, heads, mark]));
  const content = entries.flatMap(({ command, checksum }) => [command, checksum]);
  const length = Buffer.alloc(8);
  length.writeUInt32BE(content.reduce((sum, part) => sum + part.length, head.length));
  length.writeUInt32BE(head.length, 4);
  return Buffer.concat([length, head, ...content, length]);
}

/** Everything up to the first ruin; nothing is written behind one. */
function parse(bytes: Uint8Array | undefined): readonly Transaction[] {
  const file = Buffer.from(bytes ?? []);
  const found: Transaction[] = [];
  for (let at = 0; at + 16 <= file.length; ) {
    const end = at + 8 + file.readUInt32BE(at);
    if (end + 8 > file.length || file.compare(file, at, at + 8, end, end + 8) !== 0) break;
    found.push(transactionOf(file.subarray(at + 8, end), file.readUInt32BE(at + 4)));
    at = end + 8;
  }
  return found;
}

function transactionOf(bytes: Buffer, headLength: number): Transaction {
  const [keep, committed, heads, mark]: Head = JSON.parse(bytes.toString("utf8", 0, headLength));
  let at = headLength;
  const take = (length: number): Uint8Array => new Uint8Array(bytes.subarray(at, (at += length)));
  const entries = heads.map(([index, term, id, length]) => ({
    index,
    term,
    id,
    command: take(length),
    checksum: take(CHECKSUM),
  }));
  if (!mark) return { keep, committed, entries };
  const [index, term, checksum] = mark;
  return {
    keep,
    committed,
    entries,
    base: { index, term, checksum: new Uint8Array(Buffer.from(checksum, "hex")) },
  };
}

/** Whether a disk would show an entry if the power were cut now. */
export function isKept(
  durable: (file: string) => Uint8Array | undefined,
  { checksum }: StoredEntry,
): boolean {
  for (let number = 0; ; number++) {
    const file = durable(`${FOLDER}${fileName(number)}`);
    if (file === undefined) return false;
    if (Buffer.from(file).includes(Buffer.from(checksum))) return true;
  }
}
