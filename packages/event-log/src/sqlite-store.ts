import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { EventLogError, type EventLogFault } from "./errors.ts";
import type { LogStore, Row } from "./store.ts";

const FORMAT = 1;
/** Primary result codes, sqlite.org/rescode.html: PERM, BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN. */
const LOCKED = [5, 6];
const DISK = [3, 8, 10, 13, 14];

/**
 * Opens or creates the database of one log. Exclusive locking keeps every other opener out, this process's
 * own included; WAL with synchronous FULL makes a commit durable before it returns.
 * @throws EventLogError `locked`, `disk` or `corrupt`; InvalidInputError when the file is another log's
 */
export function sqliteStore(
  file: string,
  owner: { readonly origin: string; readonly peer: PeerId },
): LogStore {
  const db = guarded(() => new DatabaseSync(file, { timeout: 0 }), file);
  try {
    return guarded(() => {
      prepare(db, owner);
      checkOwner(db, owner);
      syncDirectory(file);
      return new SqliteStore(db, file);
    }, file);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: DatabaseSync, { origin, peer }: { origin: string; peer: PeerId }): void {
  db.exec(`
    pragma locking_mode = exclusive;
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma cell_size_check = on;
    begin immediate;
    create table if not exists log (
      id integer primary key check (id = 1), format integer not null, origin text not null, peer text not null, note text
    ) strict;
    create table if not exists entry (
      seq integer primary key, bytes blob not null, nodes blob not null
    ) strict;
  `);
  db.prepare("insert or ignore into log values (1, ?, ?, ?, null)").run(FORMAT, origin, peer);
  db.exec("commit");
}

function checkOwner(db: DatabaseSync, { origin, peer }: { origin: string; peer: PeerId }): void {
  const row = db.prepare("select format, origin, peer from log").get();
  if (row?.["format"] !== FORMAT) throw new InvalidInputError("file", "is of another format version");
  if (row["origin"] !== origin)
    throw new InvalidInputError("origin", "is not the one this log was made with");
  if (row["peer"] !== peer) throw new InvalidInputError("signer", "is not the one this log was made with");
}

/** SQLite syncs its files, and the directory for its journal, but not for a database that it just created. */
function syncDirectory(file: string): void {
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

class SqliteStore implements LogStore {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;

  constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
    this.#select = db.prepare("select seq, bytes, nodes from entry where seq >= ? order by seq limit ?");
    this.#insert = db.prepare("insert into entry values (?, ?, ?)");
    this.#update = db.prepare("update log set note = ? where id = 1");
  }

  size(): number {
    const last = this.#run(() => this.#db.prepare("select max(seq) as last from entry").get())?.["last"];
    return typeof last === "number" ? last + 1 : 0;
  }

  note(): string | undefined {
    const note = this.#run(() => this.#db.prepare("select note from log").get())?.["note"];
    return typeof note === "string" ? note : undefined;
  }

  rows(from: number, limit: number): readonly Row[] {
    return this.#run(() => this.#select.all(from, limit).map(parseRow));
  }

  row(seq: number): Row | undefined {
    const [row] = this.rows(seq, 1);
    return row?.seq === seq ? row : undefined;
  }

  commit(rows: readonly Row[], note: string): void {
    this.#run(() => {
      this.#db.exec("begin immediate");
      try {
        for (const { seq, bytes, nodes } of rows) this.#insert.run(seq, bytes, nodes);
        this.#update.run(note);
        this.#db.exec("commit");
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("rollback");
        throw error;
      }
    });
  }

  problems(): readonly string[] {
    const rows = this.#run(() => this.#db.prepare("pragma integrity_check(20)").all());
    return rows.map((row) => String(row["integrity_check"])).filter((problem) => problem !== "ok");
  }

  close(): void {
    this.#db.close();
  }

  #run<T>(work: () => T): T {
    return guarded(work, this.#file);
  }
}

function parseRow(row: Record<string, SQLOutputValue>): Row {
  const { seq, bytes, nodes } = row;
  if (typeof seq !== "number" || !(bytes instanceof Uint8Array) || !(nodes instanceof Uint8Array))
    throw new EventLogError("corrupt", { detail: { problem: "a row is not of its table's types" } });
  return { seq, bytes, nodes };
}

/** Turns whatever the database says into this package's errors: damage shows up under many codes. */
function guarded<T>(work: () => T, file: string): T {
  try {
    return work();
  } catch (cause) {
    const fault = faultOf(cause);
    if (fault === undefined) throw cause;
    const problem = cause instanceof Error ? cause.message : "";
    throw new EventLogError(fault, { cause, detail: { file, problem } });
  }
}

function faultOf(cause: unknown): EventLogFault | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  // A damaged row id can be past what a number holds.
  if (cause.code === "ERR_OUT_OF_RANGE") return "corrupt";
  if (cause.code !== "ERR_SQLITE_ERROR") return undefined;
  const result = "errcode" in cause && typeof cause.errcode === "number" ? cause.errcode % 256 : 0;
  if (LOCKED.includes(result)) return "locked";
  return DISK.includes(result) ? "disk" : "corrupt";
}
