import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { VoteStore } from "./contract.ts";
import { VoteStoreError } from "./errors.ts";
import { encodeVoteState, parseVoteState } from "./vote-state.ts";

/**
 * Keeps the vote in a SQLite file, flushed to the disk on every save. The file is locked: a second process with
 * the same file would be the same voter twice.
 * @throws `election/store-failed`
 */
export function sqliteVoteStore(file: string): VoteStore {
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
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec("CREATE TABLE IF NOT EXISTS vote (slot INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT");
  // A write takes the lock now rather than at the first vote.
  database.exec("BEGIN IMMEDIATE; COMMIT");
  return database;
}

function attempt<T>(problem: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new VoteStoreError(problem, cause);
  }
}
