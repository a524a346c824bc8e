import { closeSync, existsSync, fchmodSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorCode } from "@chorus/kernel";

const OWNER_ONLY = 0o600;

/** Makes sure of a file that nobody but its owner can read. @returns its absolute path, which no program reads as a URI */
export function privateFile(name: string): string {
  const path = resolve(name);
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
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}
