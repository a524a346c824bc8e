import { spawn } from "node:child_process";
import { UnansweredError } from "./errors.ts";

/** Output that is kept of one command. */
const MAX_OUTPUT_BYTES = 16_777_216;

/** What a command came to; `code` is null when it was killed. */
export interface GitAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GitCall {
  readonly signal: AbortSignal;
  readonly input?: Uint8Array;
  /** Settings for this command alone, by git's names. They stand in the environment: arguments are for all to see. */
  readonly config?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs git with a pinned behaviour. */
export type Git = (args: readonly string[], call: GitCall) => Promise<GitAnswer>;

/**
 * No hook, no configuration but ours, no prompt, no helper that knows passwords, no transport but files and HTTP, no
 * redirect: what git does is written here, not on the machine it runs on.
 */
const PINNED: Readonly<Record<string, string>> = {
  "core.hooksPath": "/dev/null",
  "core.askPass": "",
  "core.fsmonitor": "false",
  "core.attributesFile": "/dev/null",
  "core.excludesFile": "/dev/null",
  "credential.helper": "",
  "http.followRedirects": "false",
  "http.proxy": "",
  "http.lowSpeedLimit": "1",
  "http.lowSpeedTime": "30",
  "protocol.allow": "never",
  "protocol.file.allow": "always",
  "protocol.http.allow": "always",
  "protocol.https.allow": "always",
  "fetch.fsckObjects": "true",
  "fetch.recurseSubmodules": "false",
  "push.recurseSubmodules": "no",
  "push.gpgSign": "false",
  "commit.gpgSign": "false",
  "gc.autoDetach": "false",
  "maintenance.autoDetach": "false",
};

/** @param place.cwd where it runs; also git's home, so that nobody's own configuration is found */
export function gitCommand(place: {
  readonly git: string;
  readonly path: string;
  readonly cwd: string;
  readonly timeoutMs: number;
}): Git {
  return async (args, { signal, input, config = {}, env = {} }) => {
    const limit = AbortSignal.timeout(place.timeoutMs);
    const child = spawn(place.git, [...args], {
      cwd: place.cwd,
      env: { ...environment(place, { ...PINNED, ...config }), ...env },
      stdio: ["pipe", "pipe", "pipe"],
      // A group of its own, so that the helpers that talk to the network end with it.
      detached: true,
    });
    const stop = (): void => killGroup(child.pid);
    const ended = AbortSignal.any([signal, limit]);
    ended.addEventListener("abort", stop, { once: true });
    if (ended.aborted) stop();
    try {
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      const [stdout, stderr, code] = await Promise.all([
        read(child.stdout, stop),
        read(child.stderr, stop),
        exitOf(child),
      ]);
      signal.throwIfAborted();
      if (limit.aborted)
        throw new UnansweredError(`git ${args[0] ?? ""} took longer than ${place.timeoutMs} ms`);
      return { code, stdout, stderr };
    } finally {
      ended.removeEventListener("abort", stop);
    }
  };
}

/** Nothing of our own environment goes in: it holds this agent's secrets. */
function environment(
  { path, cwd }: { readonly path: string; readonly cwd: string },
  config: Readonly<Record<string, string>>,
): Record<string, string> {
  const entries = Object.entries(config).flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ]);
  return {
    PATH: path,
    HOME: cwd,
    XDG_CONFIG_HOME: cwd,
    LC_ALL: "C",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_COUNT: String(Object.keys(config).length),
    ...Object.fromEntries(entries),
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    SSH_ASKPASS: "",
    GIT_ALLOW_PROTOCOL: "file:http:https",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_PAGER: "cat",
  };
}

async function read(stream: AsyncIterable<Buffer>, stop: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk);
    else stop();
  }
  return Buffer.concat(chunks).toString("utf8");
}

function exitOf(child: ReturnType<typeof spawn>): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new UnansweredError(`git does not start: ${error.message}`)));
    child.once("close", (code) => resolve(code));
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
