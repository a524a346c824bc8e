import type { DatabaseSync } from "node:sqlite";

/** How long a removal may wait for company: what is offered twice is recognised, so it costs nothing to be late. */
const REMOVAL_DELAY_MS = 100;

/** Writes what comes in one turn of the event loop with one flush to the disk. */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #attempt: (write: () => void) => void;
  #writes: (() => void)[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param attempt runs a write and gives its failure the right name */
  constructor(database: DatabaseSync, attempt: (write: () => void) => void) {
    this.#database = database;
    this.#attempt = attempt;
  }

  /** Resolves when the write is on the disk. */
  soon(write: () => void): Promise<void> {
    this.#writes.push(write);
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<void>();
      setImmediate(() => this.now());
    }
    return this.#waiting.promise;
  }

  /** Goes with the next ones, or after a while. */
  later(write: () => void): void {
    this.#writes.push(write);
    this.#timer ??= setTimeout(() => this.now(), REMOVAL_DELAY_MS).unref();
  }

  /** At once, all that waits. */
  now(): void {
    const writes = this.#writes;
    const waiting = this.#waiting;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writes = [];
    this.#waiting = undefined;
    try {
      if (writes.length > 0) this.#attempt(() => this.#write(writes));
      waiting?.resolve();
    } catch (error) {
      waiting?.reject(error);
    }
  }

  #write(writes: readonly (() => void)[]): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const write of writes) write();
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}
