import { randomBytes } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DataDirectoryError } from "./errors.ts";

/** Makes the data directory, for its owner only. @throws DataDirectoryError */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const problem = error instanceof Error ? error.message : "cannot be used";
    throw new DataDirectoryError(directory, `cannot be used: ${problem}`, error);
  }
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
