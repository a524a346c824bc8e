import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorCode } from "@chorus/kernel";

/**
 * Makes a directory and those above it, for the owner alone. Node's own `recursive: true` never returns where
 * the file system answers ENOENT although the parent is there, as Linux's /proc does (seen with Node 24).
 */
export function makeDirectory(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !isDirectory(at); at = dirname(at)) missing.unshift(at);
  for (const directory of missing)
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) !== "EEXIST" || !isDirectory(directory)) throw error;
    }
}

/** False where there is nothing; a file in the way is left for `mkdir` to refuse. */
function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
