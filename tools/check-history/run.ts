import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { judge } from "./check.ts";
import { MalformedHistoryError, parseHistory } from "./parse.ts";
import type { HistoryRecord } from "./record.ts";

/**
 * The command line: files, or folders whose `*.jsonl` (at any depth) are meant. All of them are one history.
 * @returns the exit code: 0 all held, 1 violations, 2 nothing could be judged
 */
export function runCheck(paths: readonly string[], print: (line: string) => void): 0 | 1 | 2 {
  if (paths.length === 0) {
    print("usage: check-history FILE... (JSONL files, or folders with them; the README has the format)");
    return 2;
  }
  try {
    const files = paths.flatMap((path) => filesOf(path));
    const records = files.flatMap((file) => parseHistory(readFileSync(file, "utf8"), file));
    return tell(records, files.length, print);
  } catch (error) {
    if (!(error instanceof MalformedHistoryError) && !isSystemError(error)) throw error;
    print(error.message);
    return 2;
  }
}

function tell(records: readonly HistoryRecord[], files: number, print: (line: string) => void): 0 | 1 | 2 {
  if (!records.some(({ kind }) => kind === "call" || kind === "event")) {
    print("there is nothing to judge: no calls and no events");
    return 2;
  }
  const { violations, counts } = judge(records);
  for (const violation of violations) print(violation);
  const judged = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  print(`judged: files ${files}, ${judged.join(", ")}`);
  print(`violations: ${violations.length}`);
  return violations.length > 0 ? 1 : 0;
}

function filesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".jsonl"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "code" in error && "syscall" in error;
}
