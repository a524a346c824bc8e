import { InvalidInputError } from "@chorus/kernel";
import { DatabaseSync } from "node:sqlite";
import type { Outbox } from "./contract-ports.ts";
import type { TaskId } from "./contract-task.ts";
import { OutboxError } from "./errors.ts";
import { GroupCommit } from "./group-commit.ts";
import { privateFile } from "./private-file.ts";
import { isTaskId } from "./task-id.ts";

/**
 * Keeps submissions in a SQLite file, flushed to the disk before `put` resolves. The file is locked: it belongs to
 * one process at a time. Whoever opens it disposes of it, after the coordinator.
 * @throws 'coordinator/outbox-failed' | 'kernel/invalid-input'
 */
export function sqliteOutbox(file: string): Outbox & Disposable {
  // SQLite would take a database of its own that is gone with the process.
  if (file === "") throw new InvalidInputError("file", "must be a name");
  const database = trying("cannot be opened", () => open(file));
  const commit = new GroupCommit(database, (write) => trying("cannot be written", write));
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

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(privateFile(file));
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(
    "CREATE TABLE IF NOT EXISTS submission (place INTEGER PRIMARY KEY, task TEXT UNIQUE NOT NULL, command BLOB NOT NULL) STRICT",
  );
  // The lock is taken now rather than at the first submission. And what a killed process wrote is read as if it had
  // been flushed: a change, however small, flushes it before anybody is told that it is kept.
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${version === 1 ? 2 : 1}; COMMIT`);
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
