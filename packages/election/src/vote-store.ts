import { closeSync, existsSync, fchmodSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errorCode, InvalidInputError } from "@chorus/kernel";
import type { VoteStore } from "./contract.ts";
import { VoteStoreError } from "./errors.ts";
import { encodeVoteState, parseVoteState } from "./vote-state.ts";

const IN_MEMORY = ":memory:";
const OWNER_ONLY = 0o600;

/**
 * Keeps the vote in a SQLite file for its owner alone, flushed to the disk on every save. The file is locked: a second
 * process with the same file would be the same voter twice. `:memory:` keeps it in memory.
 * @throws `election/store-failed`, InvalidInputError without a name
 */
export function sqliteVoteStore(file: string): VoteStore {
  // SQLite takes an empty name for a file that it removes in the end, and the votes with it.
  if (typeof file !== "string" || file === "") throw new InvalidInputError("file", "must be a name");
  const database = attempt("cannot be opened", () => open(file));
  const select = database.prepare("SELECT state FROM vote WHERE slot = 0");
  const upsert = database.prepare(
    "INSERT INTO vote (slot, state) VALUES (0, ?) ON CONFLICT (slot) DO UPDATE SET state = excluded.state",
  );
  return {
    load: async () => {
      const state = attempt("cannot be read", () => select.get()?.["state"]);
      if (state === undefined) return undefined;
      return attempt("is damaged, or of a version that this one does not read", () => {
        if (!(state instanceof Uint8Array)) throw new TypeError("state is not a blob");
        return parseVoteState(state);
      });
    },
    save: async (state) => {
      attempt("cannot be written", () => upsert.run(encodeVoteState(state)));
    },
    [Symbol.dispose]: () => database.close(),
  };
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file === IN_MEMORY ? file : prepare(resolve(file)));
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec("CREATE TABLE IF NOT EXISTS vote (slot INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT");
  // The lock is taken now rather than at the first vote. And what a killed process wrote is read as if it had been
  // flushed: it is moved to and fro, hence flushed, before anything is said that rests on it.
  database.exec("BEGIN IMMEDIATE; UPDATE vote SET slot = 1; UPDATE vote SET slot = 0; COMMIT");
  return database;
}

/** Makes the file where it is missing; SQLite gives its journal the same mode. */
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

function attempt<T>(problem: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new VoteStoreError(problem, cause);
  }
}
