import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { LogStore, StoredEntry } from "./contract.ts";
import { DiskFullError, LogStoreError } from "./errors.ts";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS entries (
  idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, id TEXT NOT NULL, command BLOB NOT NULL, checksum BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS committed (slot INTEGER PRIMARY KEY, idx INTEGER NOT NULL, inverse INTEGER NOT NULL) STRICT;
`;

/** SQLite's primary result code for a full disk. */
const SQLITE_FULL = 13;

/**
 * Keeps the log in a SQLite file: write-ahead journal, flushed with every append, locked against a second process.
 * @throws `ledger/store-failed` when the file cannot be opened
 */
export function sqliteLogStore(file: string): LogStore {
  const database = open(file);
  const { last, committed, read, insert, commit, truncate } = statements(database);
  const lastIndex = (): number => integer(last.get()?.["idx"] ?? 0);
  const committedIndex = (): number => {
    const row = committed.get();
    if (row === undefined) return 0;
    const index = integer(row["idx"]);
    if (integer(row["inverse"]) !== -index) throw new LogStoreError("the commit index is damaged");
    return index;
  };
  const transaction = (action: () => void): void => {
    database.exec("BEGIN IMMEDIATE");
    try {
      action();
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw isFull(error) ? new DiskFullError(error) : error;
    }
  };
  return {
    last: async () => lastIndex(),
    committed: async () => committedIndex(),
    read: async (from, limit) => contiguous(from, read.all(from, limit).map(parseRow)),
    async append(entries, upTo) {
      transaction(() => {
        let next = lastIndex() + 1;
        for (const { index, term, id, command, checksum } of entries) {
          if (index !== next++) throw new LogStoreError(`entry ${index} does not follow`);
          insert.run(index, term, id, command, checksum);
        }
        if (upTo >= next || upTo < committedIndex())
          throw new LogStoreError(`commit index ${upTo} is out of range`);
        commit.run(upTo, -upTo);
      });
    },
    async truncateAfter(index) {
      if (index < committedIndex()) throw new LogStoreError("committed entries are never removed");
      transaction(() => truncate.run(index));
    },
    [Symbol.dispose]: () => database.close(),
  };
}

function statements(database: DatabaseSync) {
  return {
    last: database.prepare("SELECT max(idx) AS idx FROM entries"),
    committed: database.prepare("SELECT idx, inverse FROM committed WHERE slot = 0"),
    read: database.prepare("SELECT * FROM entries WHERE idx >= ? ORDER BY idx LIMIT ?"),
    insert: database.prepare("INSERT INTO entries (idx, term, id, command, checksum) VALUES (?, ?, ?, ?, ?)"),
    commit: database.prepare(
      "INSERT INTO committed VALUES (0, ?, ?) ON CONFLICT (slot) DO UPDATE SET idx = excluded.idx, inverse = excluded.inverse",
    ),
    truncate: database.prepare("DELETE FROM entries WHERE idx > ?"),
  };
}

function open(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const database = new DatabaseSync(file);
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec(SCHEMA);
    database.exec("BEGIN IMMEDIATE; COMMIT");
    return database;
  } catch (cause) {
    throw new LogStoreError("cannot be opened", cause);
  }
}

function contiguous(from: number, entries: readonly StoredEntry[]): readonly StoredEntry[] {
  const gap = entries.findIndex(({ index }, i) => index !== from + i);
  return gap === -1 ? entries : entries.slice(0, gap);
}

function parseRow(row: Record<string, unknown>): StoredEntry {
  const { id, command, checksum } = row;
  if (typeof id !== "string" || !(command instanceof Uint8Array) || !(checksum instanceof Uint8Array))
    throw new LogStoreError("an entry is damaged");
  return { index: integer(row["idx"]), term: integer(row["term"]), id, command, checksum };
}

function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    throw new LogStoreError("a number is damaged");
  return value;
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_FULL;
}
