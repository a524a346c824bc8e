import type { Disk } from "@chorus/sim";
import type { StoredEntry } from "./ledger-core.ts";

interface Transaction {
  readonly keep: number;
  readonly committed: number;
  readonly entries: readonly StoredEntry[];
}

/** What a process finds on its disk. */
export interface Found {
  readonly entries: readonly StoredEntry[];
  readonly committed: number;
}

const FOLDER = "log/";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

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
    for (const file of this.#disk.list().filter((name) => name.startsWith(FOLDER))) {
      for (const transaction of parse(this.#disk.read(file))) {
        entries = [...entries.slice(0, transaction.keep), ...transaction.entries];
        committed = Math.max(committed, transaction.committed);
      }
      this.#file = Number(file.slice(FOLDER.length)) + 1;
    }
    return { entries, committed };
  }

  /** @throws 'sim/disk-full' when nothing of it was written */
  write(transaction: Transaction): void {
    const text = JSON.stringify(transaction, (_, value: unknown) =>
      value instanceof Uint8Array
        ? { base64: Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64") }
        : value,
    );
    this.#disk.append(`${FOLDER}${fileName(this.#file)}`, encoder.encode(`${text}\t${text.length}\n`));
    this.#count++;
    if (this.#count % CHUNK === 0) this.#file++;
  }
}

function fileName(number: number): string {
  return String(number).padStart(6, "0");
}

/** Everything up to the first ruin; nothing is written behind one. */
function parse(bytes: Uint8Array | undefined): readonly Transaction[] {
  const lines = decoder.decode(bytes).split("\n").slice(0, -1);
  const ruin = lines.findIndex((line) => {
    const [text, length] = line.split("\t");
    return length !== `${text?.length}`;
  });
  return lines
    .slice(0, ruin < 0 ? lines.length : ruin)
    .map((line) => JSON.parse(line.split("\t")[0] ?? "", revive));
}

function revive(_: string, value: unknown): unknown {
  return typeof value === "object" && value !== null && "base64" in value
    ? new Uint8Array(Buffer.from(String(value.base64), "base64"))
    : value;
}

/** Whether a disk would show an entry if the power were cut now. */
export function isKept(
  durable: (file: string) => Uint8Array | undefined,
  { checksum }: StoredEntry,
): boolean {
  const text = Buffer.from(checksum).toString("base64");
  for (let number = 0; ; number++) {
    const file = durable(`${FOLDER}${fileName(number)}`);
    if (file === undefined) return false;
    if (Buffer.from(file).includes(text)) return true;
  }
}
