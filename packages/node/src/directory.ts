import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DataDirectoryError } from "./errors.ts";

/** Makes the data directory, for its owner only. @throws DataDirectoryError */
export function prepareDirectory(directory: string): void {
  try {
    makeDirectory(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const problem = error instanceof Error ? error.message : "cannot be used";
    throw new DataDirectoryError(directory, `cannot be used: ${problem}`, error);
  }
}

/** Node 24's own `recursive: true` never returns where a file system refuses for ever, as Linux's /proc does. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory));
  mkdirSync(directory, { mode: 0o700 });
}

/**
 * A vote is given by what the ledger holds, so a voter that lost the one must not use the other: it would help to elect
 * an admin that lacks what it has acknowledged itself. The ledger's file is made first, so that only a loss looks so.
 * @returns where the two are kept
 * @throws DataDirectoryError when the votes are there and the ledger is not
 */
export function voterFiles(directory: string): { readonly votes: string; readonly ledger: string } {
  const files = { votes: join(directory, "votes.db"), ledger: join(directory, "ledger.db") };
  if (existsSync(files.votes) && !existsSync(files.ledger))
    throw new DataDirectoryError(
      directory,
      "has votes.db and no ledger.db: put the lost file back, or start with an empty directory and a new identity",
    );
  return files;
}

/** The API token of this directory: the given one, else made once and kept with mode 0600. */
export function apiToken(directory: string, given: string | undefined): string {
  if (given !== undefined) return given;
  const file = join(directory, "api-token");
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    const token = randomBytes(32).toString("hex");
    writeFileSync(file, `${token}\n`, { mode: 0o600, flag: "wx" });
    return token;
  }
}
