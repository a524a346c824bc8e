import { describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../src/contract.ts";
import { gather, run, shell } from "../src/testing/index.ts";
import { dockerSandbox, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

/** Detached in every way there is: own session, orphaned, no environment, deaf to TERM, holding no output. */
const DAEMON = `
import os, signal, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for fd in range(3): os.close(fd)
while True:
    with open('/workspace/output/beat', 'ab', 0) as f: f.write(b'x')
`;

const FORK_BOMB = `
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: pass
`;

const python = (sandbox: Sandbox, code: string, timeoutMs = 20_000) =>
  run(sandbox, ["python3", "-c", code], { timeoutMs });

/** Command lines of the processes that are not the holder's; undefined when the container is gone. */
async function strays(sandbox: Sandbox): Promise<string[] | undefined> {
  const { stdout, result } = await shell(sandbox, "ps -o args");
  if (result.outcome === "sandbox-lost") return undefined;
  return stdout
    .trim()
    .split("\n")
    .slice(1)
    .filter((line) => !/docker-init|^cat$|ps -o args/.test(line.trim()));
}

describe.skipIf(withoutDocker !== undefined)(`processes (${withoutDocker ?? "docker"})`, () => {
  test("a fork bomb is bounded, ends at the deadline, and leaves the neighbour alone", async () => {
    await using bomb = await dockerSandbox();
    await using neighbour = await dockerSandbox();
    const exploding = python(bomb, FORK_BOMB, 1500);
    expect((await shell(neighbour, "echo fine")).stdout).toBe("fine\n");
    expect((await exploding).result.outcome).toBe("timeout");
    expect((await strays(bomb)) ?? []).toEqual([]);
    expect((await shell(neighbour, "echo still fine")).stdout).toBe("still fine\n");
  });

  test("threads stop at the process limit", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      `
import threading, time
n = 0
try:
    while n < 1000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); n += 1
except RuntimeError: pass
print(n, flush=True)
import os; os._exit(0)`,
    );
    expect(Number(stdout)).toBeGreaterThan(10);
    expect(Number(stdout)).toBeLessThan(64);
  });

  test("a daemonised child is gone before anything is collected", async () => {
    await using sandbox = await dockerSandbox();
    await python(sandbox, DAEMON);
    const { files } = await gather(sandbox, "output");
    expect(files.get("beat")?.size).toBeGreaterThan(0);
    expect(await strays(sandbox)).toEqual([]);
    const again = await gather(sandbox, "output");
    expect(again.files.get("beat")?.sha256).toBe(files.get("beat")?.sha256);
  });

  test("a deadline reaches what stops itself, hides or ignores it", async () => {
    await using sandbox = await dockerSandbox();
    const stopped = await shell(sandbox, "kill -STOP $$", { timeoutMs: 500 });
    expect(stopped.result.outcome).toBe("timeout");
    const deaf = await shell(sandbox, "trap '' TERM INT HUP; while :; do :; done", { timeoutMs: 500 });
    expect(deaf.result.outcome).toBe("timeout");
    const hidden = await shell(sandbox, "env -i setsid sh -c 'while :; do :; done' & wait", {
      timeoutMs: 500,
    });
    expect(hidden.result.outcome).toBe("timeout");
    expect(await strays(sandbox)).toEqual([]);
  });

  test("a background child that keeps the output open does not keep the result", async () => {
    await using sandbox = await dockerSandbox();
    const { result } = await shell(sandbox, "sleep 100 & echo started");
    expect(result).toMatchObject({ outcome: "exited", exitCode: 0 });
    expect(result.durationMs).toBeLessThan(10_000);
  });

  test("zombies are reaped", async () => {
    await using sandbox = await dockerSandbox();
    const { result } = await shell(
      sandbox,
      "i=0; while [ $i -lt 300 ]; do (sh -c 'true' &) ; i=$((i+1)); done; exit 0",
    );
    expect(result).toMatchObject({ outcome: "exited", exitCode: 0 });
    expect((await shell(sandbox, "ps -o stat | grep -c Z")).stdout.trim()).toBe("0");
  });

  test("the holder cannot be killed, traced, read or written", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      `
import os, signal
def attempt(name, f):
    try: f(); print(name, 'DONE')
    except OSError as e: print(name, type(e).__name__)
holders = [int(p) for p in os.listdir('/proc') if p.isdigit() and os.stat('/proc/' + p).st_uid != os.getuid()]
print(len(holders))
for p in holders:
    attempt('kill', lambda: os.kill(p, signal.SIGKILL))
    attempt('environ', lambda: open(f'/proc/{p}/environ').read())
    attempt('mem', lambda: open(f'/proc/{p}/mem', 'rb'))
    attempt('stdin', lambda: open(f'/proc/{p}/fd/0'))
    attempt('stdout', lambda: open(f'/proc/{p}/fd/1', 'w'))
    attempt('root', lambda: os.listdir(f'/proc/{p}/root'))`,
    );
    expect(stdout.startsWith("2\n")).toBe(true);
    expect(stdout).not.toContain("DONE");
    await shell(sandbox, "kill -9 -1; kill -9 1; kill -TERM 1");
    expect((await shell(sandbox, "echo alive")).stdout).toBe("alive\n");
  });

  test("two sandboxes never share a user", async () => {
    await using one = await dockerSandbox();
    await using other = await dockerSandbox();
    const ids = await Promise.all([one, other].map(async (box) => (await shell(box, "id -u")).stdout));
    expect(new Set(ids).size).toBe(2);
  });
});
