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
  const insert = database.prepare("INSERT OR IGNORE INTO submission (task, command) VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM submission WHERE task = ?");
  const select = database.prepare("SELECT task, command FROM submission ORDER BY place");
  return {
    put: async ({ taskId, command }) => {
      trying("cannot be written", () => insert.run(taskId, command));
    },
    remove: async (taskId) => {
      trying("cannot be written", () => remove.run(taskId));
    },
    list: async () => trying("cannot be read", () => select.all().map(readRow)),
    [Symbol.dispose]: () => database.close(),
  };
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
