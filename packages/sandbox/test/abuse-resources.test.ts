import { describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../src/contract.ts";
import { gather, run, shell } from "../src/testing/index.ts";
import { dockerSandbox, SMALL, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

const python = (sandbox: Sandbox, code: string) =>
  run(sandbox, ["python3", "-c", code], { timeoutMs: 20_000 });

/** Bytes that could be written below `path`, and the error that ended it. */
const fill = (path: string) => `
n = 0
try:
    f = open('${path}/filler', 'wb', 0)
    while True: n += f.write(b'x' * 65536)
except OSError as e: print(n, e.strerror, sep='|')`;

describe.skipIf(withoutDocker !== undefined)(`resources (${withoutDocker ?? "docker"})`, () => {
  test("each place fills up at its own size", async () => {
    await using sandbox = await dockerSandbox();
    const full = "No space left on device";
    for (const [path, size, words] of [
      ["/workspace/data", SMALL.dataBytes, full],
      ["/workspace/output", SMALL.outputBytes, full],
      // One file may be as big as the biggest place, which this is.
      ["/tmp", 134_217_728, "File too large"],
      ["/dev/shm", 8_388_608, full],
    ] as const) {
      const [bytes, error] = (await python(sandbox, fill(path))).stdout.trim().split("|");
      expect([path, error]).toEqual([path, words]);
      expect(Number(bytes)).toBeGreaterThan((size ?? 0) * 0.9);
      expect(Number(bytes)).toBeLessThanOrEqual(size ?? 0);
      await shell(sandbox, `rm ${path}/filler`);
    }
  });

  test("nothing else can be written at all", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await shell(
      sandbox,
      "for d in / /bin /etc /usr /var /root /workspace /workspace/input /dev /proc /sys; do touch $d/x 2>/dev/null && echo $d; done; true",
    );
    expect(stdout).toBe("");
  });

  test("files by number stop at their limit", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      `
n = 0
try:
    while n < 100000: open(f'/workspace/output/{n}', 'w').close(); n += 1
except OSError as e: print(n, e.strerror, sep='|')`,
    );
    expect(stdout).toMatch(/^9\d\d\|No space left on device/);
  });

  test("a file cannot claim more than there is room for", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      "import os\ntry: os.truncate(os.open('/workspace/output/huge', os.O_CREAT | os.O_RDWR), 1 << 40)\nexcept OSError as e: print(e.strerror)",
    );
    expect(stdout).toBe("File too large\n");
    const { files } = await gather(sandbox, "output");
    expect(files.get("huge")?.size).toBe(0);
  });

  test("open files stop at their limit", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      "fs = []\ntry:\n  while True: fs.append(open('/dev/null'))\nexcept OSError as e: print(len(fs) < 1024, e.strerror)",
    );
    expect(stdout).toBe("True Too many open files\n");
  });

  test("memory is one bound for a whole family of processes, and the sandbox outlives it", async () => {
    await using sandbox = await dockerSandbox();
    const { result } = await python(
      sandbox,
      `
import os, time
for _ in range(5):
    if os.fork() == 0:
        x = []
        while True: x.append(bytearray(b'x' * 2 ** 22))
pid, status = os.wait()
os._exit(137 if os.WIFSIGNALED(status) else 1)`,
    );
    expect(result.outcome).toBe("oom");
    expect((await shell(sandbox, "echo alive")).stdout).toBe("alive\n");
  });

  test("the processor is shared by quota", async () => {
    await using sandbox = await dockerSandbox({ cpus: 0.25 });
    const { stdout } = await python(
      sandbox,
      "import time\nw = time.monotonic()\nwhile time.monotonic() - w < 2: pass\nprint(time.process_time())",
    );
    expect(Number(stdout)).toBeLessThan(1);
  });

  test("a flood without line ends is cut to the byte", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout, result } = await shell(sandbox, "cat /dev/zero", { maxOutputBytes: 3_000_000 });
    expect(result.outcome).toBe("output-limit");
    expect(stdout.length).toBe(3_000_000);
  });

  test("output that nobody reads makes the command wait, not the agent grow", async () => {
    await using sandbox = await dockerSandbox();
    const execution = sandbox.exec(["cat", "/dev/zero"], { timeoutMs: 1500, maxOutputBytes: 1_000_000_000 });
    const { outcome, stdoutBytes } = await execution.result;
    expect(outcome).toBe("timeout");
    expect(stdoutBytes).toBeGreaterThanOrEqual(1_048_576);
    expect(stdoutBytes).toBeLessThan(4_000_000);
  });
});
