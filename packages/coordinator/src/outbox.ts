import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Outbox } from "./contract-ports.ts";
import type { TaskId } from "./contract-task.ts";
import { OutboxError } from "./errors.ts";
import { isTaskId } from "./task-id.ts";

/**
 * Keeps submissions in a SQLite file, flushed to the disk before `put` resolves. The file is locked: it belongs to
 * one process at a time. Whoever opens it disposes of it, after the coordinator.
 * @throws 'coordinator/outbox-failed'
 */
export function sqliteOutbox(file: string): Outbox & Disposable {
  const database = trying("cannot be opened", () => open(file));
  const commit = new GroupCommit(database);
  const insert = database.prepare("INSERT OR IGNORE INTO submission (task, command) VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM submission WHERE task = ?");
  const select = database.prepare("SELECT task, command FROM submission ORDER BY place");
  return {
    put: ({ taskId, command }) => commit.soon(() => insert.run(taskId, command)),
    remove: async (taskId) => commit.later(() => remove.run(taskId)),
    list: async () => {
      commit.now();
      return trying("cannot be read", () => select.all().map(readRow));
    },
    [Symbol.dispose]: () => {
      commit.now();
      database.close();
    },
  };
}

/** How long a removal may wait for company: what is offered twice is recognised, so it costs nothing to be late. */
const REMOVAL_DELAY_MS = 100;

/** Writes what comes in one turn of the event loop with one flush to the disk. */
class GroupCommit {
  readonly #database: DatabaseSync;
  #writes: (() => void)[] = [];
  #waiting: PromiseWithResolvers<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
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

  now(): void {
    const writes = this.#writes;
    const waiting = this.#waiting;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writes = [];
    this.#waiting = undefined;
    try {
      if (writes.length > 0) trying("cannot be written", () => this.#write(writes));
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

function open(file: string): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(
    "CREATE TABLE IF NOT EXISTS submission (place INTEGER PRIMARY KEY, task TEXT UNIQUE NOT NULL, command BLOB NOT NULL) STRICT",
  );
  // A write takes the lock now rather than at the first submission.
  database.exec("BEGIN IMMEDIATE; COMMIT");
  return database;
}

function readRow(row: Record<string, unknown>): { taskId: TaskId; command: Uint8Array } {
  const { task, command } = row;
  if (!isTaskId(task) || !(command instanceof Uint8Array)) throw new TypeError("row is not a submission");
  return { taskId: task, command: new Uint8Array(command) };
}

function trying<T>(problem: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new OutboxError(problem, cause);
  }
}
