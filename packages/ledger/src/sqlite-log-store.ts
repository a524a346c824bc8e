import { closeSync, existsSync, fchmodSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { equalBytes, errorCode, InvalidInputError } from "@chorus/kernel";
import type { LogMark, LogStore, SnapshotHead, StoredEntry } from "./contract.ts";
import { DiskFullError, LogStoreError } from "./errors.ts";
import { SNAPSHOT_SCHEMA, SqliteSnapshots } from "./sqlite-snapshots.ts";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS entries (
  idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, id TEXT NOT NULL, command BLOB NOT NULL, checksum BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS founding (slot INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS opened (slot INTEGER PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS committed (slot INTEGER PRIMARY KEY, idx INTEGER NOT NULL, inverse INTEGER NOT NULL) STRICT;
`;

const IN_MEMORY = ":memory:";
const OWNER_ONLY = 0o600;

/** SQLite's primary result code for a full disk. */
const SQLITE_FULL = 13;

/**
 * Keeps the log in a SQLite file: write-ahead journal, flushed with every append, locked against a second process. The
 * room of what was removed is used again, the file does not shrink.
 * It is its owner's alone; `:memory:` keeps the log in memory.
 * @throws `ledger/store-failed` when the file cannot be opened, InvalidInputError without a name
 */
export function sqliteLogStore(file: string): LogStore {
  // SQLite takes an empty name for a file that it removes in the end, and the log with it.
  if (file === "") throw new InvalidInputError("file", "must be a name");
  const log = new SqliteLog(open(file));
  const { snapshots } = log;
  return {
    last: async () => log.last,
    committed: async () => log.committed,
    base: async () => log.base,
    read: async (from, limit) => log.read(from, limit),
    append: async (entries, committed) => log.append(entries, committed),
    truncateAfter: async (index) => log.truncateAfter(index),
    founding: async () => log.founding,
    adopt: async (founding) => log.adopt(founding),
    snapshot: async () => snapshots.kept?.head,
    readParts: async (of, from, limit) => snapshots.readParts(of, from, limit),
    staged: async () => snapshots.staged(),
    stage: async (name, from, parts) => log.change(() => snapshots.stage(name, from, parts), "NORMAL"),
    unstage: async () => log.change(() => snapshots.unstage(), "NORMAL"),
    install: async (head, base) => log.install(head, base),
    sweep: async () => log.change(() => snapshots.sweep(), "NORMAL"),
    [Symbol.dispose]: () => log.close(),
  };
}

class SqliteLog {
  readonly snapshots: SqliteSnapshots;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof statements>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = statements(database);
    this.snapshots = new SqliteSnapshots(database);
  }

  get base(): LogMark | undefined {
    return this.snapshots.kept?.base;
  }

  get last(): number {
    return Math.max(this.base?.index ?? 0, integer(this.#statements.last.get()?.["idx"] ?? 0));
  }

  get committed(): number {
    const row = this.#statements.committed.get();
    if (row === undefined) return 0;
    const index = integer(row["idx"]);
    if (integer(row["inverse"]) !== -index) throw new LogStoreError("the commit index is damaged");
    return index;
  }

  get founding(): string | undefined {
    const name = this.#statements.founding.get()?.["name"];
    return typeof name === "string" ? name : undefined;
  }

  adopt(founding: string): void {
    const { founding: own } = this;
    if (own !== undefined && own !== founding) throw new LogStoreError("the log belongs to another founding");
    this.change(() => this.#statements.adopt.run(founding));
  }

  read(from: number, limit: number): readonly StoredEntry[] {
    if (from <= (this.base?.index ?? 0)) return [];
    return contiguous(from, this.#statements.read.all(from, limit).map(parseRow));
  }

  append(entries: readonly StoredEntry[], committed: number): void {
    this.change(() => {
      let next = this.last + 1;
      for (const { index, term, id, command, checksum } of entries) {
        if (index !== next++) throw new LogStoreError(`entry ${index} does not follow`);
        this.#statements.insert.run(index, term, id, command, checksum);
      }
      if (committed >= next || committed < this.committed)
        throw new LogStoreError(`commit index ${committed} is out of range`);
      this.#statements.commit.run(committed, -committed);
    });
  }

  truncateAfter(index: number): void {
    if (index < this.committed) throw new LogStoreError("committed entries are never removed");
    this.change(() => this.#statements.truncate.run(index));
  }

  install(head: SnapshotHead, base: LogMark): void {
    const { truncate, commit } = this.#statements;
    this.change(() => {
      const known = this.#holds(head);
      if (!known && base.index !== head.index) throw new LogStoreError("the log does not hold the base");
      if (!known) truncate.run(head.index);
      const committed = Math.max(this.committed, head.index);
      this.snapshots.install({ head, base });
      commit.run(committed, -committed);
    });
    this.snapshots.refresh();
  }

  /**
   * One transaction. The log's own entries are flushed with it; the parts of a snapshot become durable with its
   * installation, whose flush comes after them in the same journal.
   */
  change<T>(action: () => T, flush: "FULL" | "NORMAL" = "FULL"): T {
    this.#database.exec(`PRAGMA synchronous = ${flush}; BEGIN IMMEDIATE`);
    try {
      const result = action();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      this.snapshots.refresh();
      throw isFull(error) ? new DiskFullError(error) : error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #holds({ index, checksum }: LogMark): boolean {
    const { base } = this;
    const own = index === base?.index ? base.checksum : this.#statements.one.get(index)?.["checksum"];
    return index >= (base?.index ?? 0) && own instanceof Uint8Array && equalBytes(own, checksum);
  }
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
    founding: database.prepare("SELECT name FROM founding WHERE slot = 0"),
    adopt: database.prepare("INSERT OR REPLACE INTO founding VALUES (0, ?)"),
    one: database.prepare("SELECT checksum FROM entries WHERE idx = ?"),
  };
}

function open(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file === IN_MEMORY ? file : prepare(resolve(file)));
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec(SCHEMA + SNAPSHOT_SCHEMA);
    // What a killed process wrote and did not flush is read as if it were flushed, so it is flushed before it counts:
    // a transaction that changes nothing would write nothing, and a write flushes the whole journal.
    database.exec("BEGIN IMMEDIATE; DELETE FROM opened; INSERT INTO opened VALUES (0); COMMIT");
    return database;
  } catch (cause) {
    throw new LogStoreError("cannot be opened", cause);
  }
}

/** Makes the file for its owner alone where it is missing; SQLite gives its journal the same mode. */
function prepare(path: string): string {
  makeFolder(dirname(path));
  const file = openSync(path, "a", OWNER_ONLY);
  try {
    fchmodSync(file, OWNER_ONLY);
  } finally {
    closeSync(file);
  }
  return path;
}

/** As mkdir with `recursive`, which never returns where the system answers ENOENT for ever (Linux: /proc). */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
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
