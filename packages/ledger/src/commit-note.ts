import type { Clock } from "@chorus/kernel";
import { GENESIS, type Position } from "./chain.ts";

/** A commit index that no write has taken along is written alone after this. */
const NOTE_MS = 500;

type Noted = Pick<Position, "index" | "term">;

interface NotePorts {
  readonly clock: Clock;
  readonly closing: AbortSignal;
  /** Writes the commit index alone, in its turn. */
  readonly write: () => Promise<void>;
}

/** The commit index on the disk: a hint that may be old. */
export class CommitNote {
  readonly #ports: NotePorts;
  #noted: Noted = GENESIS;
  #due = false;

  constructor(ports: NotePorts) {
    this.#ports = ports;
  }

  /** The disk has it now. */
  is(committed: Noted): void {
    this.#noted = committed;
  }

  isBehind({ index, term }: Noted): boolean {
    return index > this.#noted.index || term > this.#noted.term;
  }

  /** The first commit of a term is written at once; the next entries take the others along, or it comes later. */
  isUrgent({ term }: Noted): boolean {
    return term > this.#noted.term;
  }

  later(): void {
    if (this.#due) return;
    this.#due = true;
    const { clock, closing, write } = this.#ports;
    void clock
      .sleep(NOTE_MS, { signal: closing })
      .then(() => {
        this.#due = false;
        return write();
      })
      // A full disk: the next write takes it along. Anything else has made the log read-only.
      .catch(() => undefined);
  }
}
