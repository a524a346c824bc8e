import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorCode } from "@chorus/kernel";
import { DirectoryError, DiskError } from "./errors.ts";
import { makeDirectory } from "./make-directory.ts";

const FORMAT = "1";

/**
 * `blocks.bytes` is null where the bytes are a file. A row in `envelopes` means a complete copy: it is written
 * in the same transaction that finds all its blocks. `missing` lists what this peer put and still owes copies of.
 */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS envelopes(
  id INTEGER PRIMARY KEY, addr TEXT NOT NULL, author TEXT NOT NULL, bytes BLOB NOT NULL,
  created INTEGER NOT NULL, expires INTEGER, verified INTEGER NOT NULL, UNIQUE(addr, author)) STRICT;
CREATE INDEX IF NOT EXISTS expiry ON envelopes(expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS blocks(
  id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, bytes BLOB, added INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refs(
  hash TEXT NOT NULL, envelope INTEGER NOT NULL REFERENCES envelopes(id) ON DELETE CASCADE,
  PRIMARY KEY(hash, envelope)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refs_of ON refs(envelope);
CREATE TABLE IF NOT EXISTS missing(item TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copies(item TEXT NOT NULL, peer TEXT NOT NULL, PRIMARY KEY(item, peer))
  STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members(peer TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads(
  id INTEGER PRIMARY KEY, lane TEXT NOT NULL, seq INTEGER NOT NULL, cid TEXT NOT NULL, bytes BLOB NOT NULL,
  UNIQUE(lane, seq, cid)) STRICT;
`;

/** @throws DirectoryError when the directory cannot be used by this process for this cluster */
export function openDatabase(directory: string, cluster: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    makeDirectory(directory);
    database = new DatabaseSync(join(directory, "storage.db"));
    // Exclusive: a second process is refused by SQLite itself, and a killed one leaves no stale lock.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    database.exec(SCHEMA);
    const meta = database.prepare("INSERT OR IGNORE INTO meta(key, value) VALUES (?, ?)");
    meta.run("format", FORMAT);
    meta.run("cluster", cluster);
  } catch (cause) {
    database?.close();
    throw new DirectoryError(directory, problemOf(cause), cause);
  }
  const value = database.prepare("SELECT value FROM meta WHERE key = ?");
  const problem =
    value.get("format")?.["value"] !== FORMAT
      ? "has an unknown format"
      : value.get("cluster")?.["value"] !== cluster
        ? "belongs to another cluster"
        : undefined;
  if (problem === undefined) return database;
  database.close();
  throw new DirectoryError(directory, problem);
}

/** Runs `work` as one transaction: all of it is on disk when this returns, or none. @throws DiskError */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  try {
    database.exec("BEGIN IMMEDIATE");
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
    throw errorCode(error) === "ERR_SQLITE_ERROR" ? new DiskError("writing the index", error) : error;
  }
}

/** A text column of a row that the schema says is text. */
export function textOf(row: Readonly<Record<string, unknown>>, column: string): string {
  return String(row[column]);
}

/** A blob column of a row, as bytes of its own; undefined when null. */
export function blobOf(row: Readonly<Record<string, unknown>>, column: string): Uint8Array | undefined {
  const value = row[column];
  return value instanceof Uint8Array ? value : undefined;
}

function problemOf(cause: unknown): string {
  const text = cause instanceof Error && "errcode" in cause ? cause.errcode : errorCode(cause);
  const problems: Readonly<Record<string, string>> = {
    "5": "is open in another process",
    "8": "is not writable",
    "14": "cannot be opened",
    "26": "does not hold a storage database",
    EACCES: "is not writable",
    EPERM: "is not writable",
    EROFS: "is on a read-only disk",
    ENOTDIR: "is below something that is not a directory",
    EEXIST: "is not a directory",
    ENOSPC: "is on a full disk",
  };
  return problems[String(text)] ?? "cannot be opened";
}
