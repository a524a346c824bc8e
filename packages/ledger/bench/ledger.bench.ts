import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { Ledger } from "../src/index.ts";
import { openMember } from "./mesh.ts";
import { measureSnapshot } from "./snapshot.ts";

export const topic = "ledger";

/** The shape that `npm run bench` prints. */
interface Figure {
  readonly bench: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly against?: string;
  readonly ratio?: number;
}

const COMMAND = new Uint8Array(256).fill(7);
const ROUND_MS = 2000;
const VOTERS = [1, 3, 5, 7];
const LANES = [1, 256];

/** Durable proposals of 256 bytes: one voter, and more in as many processes, each with its own file; then a snapshot. */
export async function* run(): AsyncIterable<Figure> {
  const directory = mkdtempSync(join(tmpdir(), "ledger-bench-"));
  const others: ChildProcess[] = [];
  try {
    const raw = rawRate(join(directory, "raw.sqlite"));
    for (const voters of VOTERS) {
      const folder = mkdtempSync(join(directory, `${voters}-`));
      for (let n = 1; n < voters; n++) others.push(await start(n, folder, voters));
      await using log = await openMember(0, folder, voters);
      await log.propose(COMMAND);
      for (const lanes of LANES) {
        const { rate, latencies } = await measure(log, lanes);
        const name = `${voters} voter${voters === 1 ? "" : "s"}, ${lanes} lane${lanes === 1 ? "" : "s"}`;
        const against = { against: "SQLite insert, flushed, alone", ratio: rate / raw };
        yield { bench: topic, metric: `proposals, ${name}`, value: rate, unit: "proposals/s", ...against };
        yield { bench: topic, metric: `p50, ${name}`, value: at(latencies, 0.5), unit: "ms" };
        yield { bench: topic, metric: `p99, ${name}`, value: at(latencies, 0.99), unit: "ms" };
      }
      for (const child of others.splice(0)) child.kill("SIGKILL");
    }
    for (const { metric, value, unit } of await measureSnapshot(join(directory, "large.sqlite")))
      yield { bench: topic, metric, value, unit };
  } finally {
    for (const child of others) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}

async function start(number: number, directory: string, voters: number): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("./member.ts", import.meta.url));
  const child = fork(script, [`${number}`, directory, `${voters}`], {
    execArgv: ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"],
  });
  await once(child, "message");
  return child;
}

/** Proposals of so many callers, each of which waits for its last one. */
async function measure(
  log: Ledger<number, number>,
  lanes: number,
): Promise<{ readonly rate: number; readonly latencies: readonly number[] }> {
  const latencies: number[] = [];
  const from = performance.now();
  const lane = async (): Promise<void> => {
    for (let at = performance.now(); at - from < ROUND_MS; ) {
      await log.propose(COMMAND);
      const now = performance.now();
      latencies.push(now - at);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const seconds = (performance.now() - from) / 1000;
  return { rate: latencies.length / seconds, latencies: latencies.toSorted((a, b) => a - b) };
}

function at(sorted: readonly number[], part: number): number {
  return sorted[Math.floor(sorted.length * part)] ?? 0;
}

/** What the disk and SQLite can do by themselves: one row of the same size for each flush. */
function rawRate(file: string): number {
  using database = new DatabaseSync(file);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec("CREATE TABLE raw (idx INTEGER PRIMARY KEY, command BLOB NOT NULL) STRICT");
  const insert = database.prepare("INSERT INTO raw (command) VALUES (?)");
  const from = performance.now();
  let rows = 0;
  for (; performance.now() - from < ROUND_MS; rows++) insert.run(COMMAND);
  return rows / ((performance.now() - from) / 1000);
}
