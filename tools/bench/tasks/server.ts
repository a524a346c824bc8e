import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, globSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { atExit } from "./at-exit.ts";

/** Longest wait for a server that was started. */
const START_MS = 60_000;

/** Servers of one system on ports of loopback. Disposing ends them and removes their files. */
export interface Servers extends AsyncDisposable {
  /** As the system's own client wants them. */
  readonly addresses: readonly string[];
  readonly pids: readonly number[];
}

/** Where processes and files of one system's servers are kept until the end. */
export class ServerStack implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "bench-server-"));
  readonly #running: { readonly child: ChildProcess; readonly end: NodeJS.Signals }[] = [];
  readonly #guard = atExit(() => {
    for (const { child, end } of this.#running) child.kill(end);
    this.#remove();
  });

  /** @param how.user a system account to run as, when we are root */
  spawn(
    command: string,
    args: readonly string[],
    how: { end?: NodeJS.Signals; user?: string; env?: Readonly<Record<string, string>> } = {},
  ): ChildProcess {
    const { end = "SIGKILL", user, env = {} } = how;
    const identity = user === undefined ? undefined : identityOf(user);
    if (identity !== undefined) chownSync(this.folder, identity.uid, identity.gid);
    const child = spawn(command, args, {
      cwd: this.folder,
      stdio: "ignore",
      env: { ...process.env, ...env },
      ...identity,
    });
    this.#running.push({ child, end });
    return child;
  }

  /** A folder of its own inside. */
  place(name: string): string {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  get pids(): readonly number[] {
    return this.#running.flatMap(({ child }) => child.pid ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(({ child, end }) => endProcess(child, end)));
    this.#guard[Symbol.dispose]();
    this.#remove();
  }

  #remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends one process that we started and waits until it is gone. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

/** Tries until it does not throw. @throws the last error after a minute */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (const from = performance.now(); ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() - from > START_MS) throw error;
    }
    await pause(50);
  }
}

/** Where a program is: on the path, or where Debian keeps it. */
export function programOf(name: string, ...places: readonly string[]): string | undefined {
  const found = spawnSync("which", [name], { encoding: "utf8" }).stdout.trim();
  return found === "" ? places.flatMap((place) => globSync(join(place, name))).at(-1) : found;
}

function identityOf(user: string): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync("id", [flag, user], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
