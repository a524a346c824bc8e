import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test, vi } from "vitest";
import { silentLogger } from "@chorus/kernel";
import { createSandbox } from "../src/sandbox.ts";
import { gather, run, shell, tarOf } from "../src/testing/index.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

/** A sandbox and a way to learn the process ids of its interpreters. */
async function setup() {
  const pids: number[] = [];
  const debug = (_: string, fields?: Readonly<Record<string, unknown>>) =>
    void pids.push(Number(fields?.["pid"]));
  const sandbox = await createSandbox({}, { engine: "embedded", logger: { ...silentLogger, debug } });
  return { sandbox, pid: pids[0] ?? 0, [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose]() };
}

test("asks for native programs are answered as unsupported, never faked", async () => {
  await using context = await setup();
  const { sandbox } = context;
  for (const [argv, named] of [
    [["git", "status"], "git"],
    [["sh", "-c", "gcc -o x x.c && ./x"], "gcc"],
    [["sh", "-c", "npm ci"], "npm"],
    [["node", "index.js"], "node"],
    [["python3", "-m", "pip", "install", "x"], "pip"],
    [["python3", "-c", "import subprocess; subprocess.run(['ls'])"], "processes"],
  ] as const) {
    const { result } = await run(sandbox, argv);
    expect(result.outcome).toBe("unsupported-by-engine");
    expect(result.exitCode).not.toBe(0);
    expect(result.message).toContain(named);
  }
  const handled = await shell(sandbox, "command -v git || echo without");
  expect([handled.stdout, handled.result.outcome]).toEqual(["without\n", "exited"]);
});

test("JavaScript runs, and cp -a copies", async () => {
  await using context = await setup();
  const { sandbox } = context;
  await sandbox.put("input", await tarOf({ "source/a.js": "console.log([3, 1, 2].sort().join())" }));
  const { stdout } = await shell(sandbox, "cp -a /workspace/input/source/. . && js-exec a.js");
  expect(stdout).toBe("1,2,3\n");
});

test("nothing of the host is to be seen", async () => {
  await using context = await setup();
  const { sandbox } = context;
  const { stdout } = await shell(sandbox, `cat /etc/passwd ${import.meta.filename}; ls /; ls /etc /proc`);
  expect(stdout).not.toMatch(/root:|import|home|work\n/);
  const python = await run(sandbox, ["python3", "-c", `open(${JSON.stringify(import.meta.filename)})`]);
  expect(python.stderr).toMatch(/No such file|FileNotFound/);
  const script =
    "try { console.log(require('fs').readFileSync('/proc/self/environ', 'utf8')) } catch { console.log('no') }";
  expect((await run(sandbox, ["js-exec", "-c", script])).stdout).toBe("no\n");
});

test.skipIf(process.platform !== "linux")(
  "the interpreter's process has few rights and no environment",
  async () => {
    await using context = await setup();
    const words = readFileSync(`/proc/${context.pid}/cmdline`, "utf8").split("\0");
    expect(words).toContain("--permission");
    expect(
      words.filter((word) => word.startsWith("--allow")).every((word) => /fs-read=\/.+|worker/.test(word)),
    ).toBe(true);
    expect(words).not.toContain("--allow-fs-read=*");
    expect(readFileSync(`/proc/${context.pid}/environ`, "utf8")).toBe("");
  },
);

test("a killed interpreter costs one command and no files", async () => {
  await using context = await setup();
  const { sandbox, pid } = context;
  await sandbox.put("data", await tarOf({ given: "1" }));
  await shell(sandbox, "echo 2 >/workspace/output/made; echo 3 >>given");
  const running = sandbox.exec(["sh", "-c", "while :; do :; done"]).result;
  process.kill(pid, "SIGKILL");
  expect((await running).outcome).toBe("sandbox-lost");
  expect((await shell(sandbox, "cat given /workspace/output/made")).stdout).toBe("13\n2\n");
  expect([...(await gather(sandbox, "output")).files.keys()]).toEqual(["made"]);
});

test.skipIf(process.platform !== "linux")("kill -9 of the agent ends even a busy interpreter", async () => {
  const agent = spawn(
    process.execPath,
    ["--conditions=@chorus/source", join(import.meta.dirname, "fixtures/embedded-agent.ts")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = await once(createInterface(agent.stdout), "line");
  const { pid } = JSON.parse(String(line));
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  agent.kill("SIGKILL");
  await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5000 }).toBe(false);
});
