import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.ts";
import type { Opened } from "./history-process.ts";
import { endProcess } from "./server.ts";

/** What so many finished tasks cost a peer. */
export interface History {
  /** From the ledger's opening to the state being there again. */
  readonly restartMs: number;
  readonly residentBytes: number;
  /** Of the same process with an empty ledger. */
  readonly emptyBytes: number;
  readonly fileBytes: number;
}

/** Fills a ledger with tasks that were submitted, claimed and completed, then opens it in a new process. */
export async function finishedTasks(count: number): Promise<History> {
  const folder = mkdtempSync(join(tmpdir(), "bench-history-"));
  using _guard = atExit(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const file = join(folder, "ledger.db");
    const { residentBytes: emptyBytes } = await run(join(folder, "empty.db"), 0);
    await run(file, count);
    const { restartMs, residentBytes, tasks } = await run(file, 0);
    if (tasks !== count) throw new Error(`${tasks} of ${count} tasks are in the ledger`);
    return { restartMs, residentBytes, emptyBytes, fileBytes: statSync(file).size };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(file: string, count: number): Promise<Opened> {
  const child = fork(join(import.meta.dirname, "history-process.ts"), [file, `${count}`], {
    execArgv: ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning", "--expose-gc"],
  });
  const ended = once(child, "exit");
  try {
    const opened = await Promise.race([
      new Promise<Opened>((resolve) => child.once("message", resolve)),
      ended.then(() => Promise.reject(new Error("a process of the bench ended"))),
    ]);
    child.disconnect();
    await ended;
    return opened;
  } finally {
    await endProcess(child);
  }
}
