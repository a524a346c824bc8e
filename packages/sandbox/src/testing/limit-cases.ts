import assert from "node:assert/strict";
import type { ConformanceCase } from "./tools.ts";
import { gather, run, shell } from "./tools.ts";

const FOREVER = "while :; do :; done";

/** What ends a command against its will, and what is left of the sandbox then. */
export const LIMIT_CASES: readonly ConformanceCase[] = [
  {
    name: "ends a command at its deadline and serves the next",
    async check(sandbox) {
      const { result } = await shell(sandbox, FOREVER, { timeoutMs: 300 });
      assert.equal(result.outcome, "timeout");
      assert.equal(result.exitCode, undefined);
      assert.ok(result.durationMs >= 300 && result.durationMs < 20_000);
      assert.equal((await shell(sandbox, "echo again")).stdout, "again\n");
    },
  },
  {
    name: "keeps earlier files through a deadline",
    async check(sandbox) {
      await shell(sandbox, "echo kept >/workspace/output/kept");
      await shell(sandbox, FOREVER, { timeoutMs: 300 });
      const { files } = await gather(sandbox, "output");
      assert.deepEqual([...files.keys()], ["kept"]);
    },
  },
  {
    name: "keeps what a command wrote before its deadline",
    async check(sandbox) {
      await shell(sandbox, `echo half >/workspace/output/half; ${FOREVER}`, { timeoutMs: 500 });
      const { files } = await gather(sandbox, "output");
      assert.deepEqual([...files.keys()], ["half"]);
    },
  },
  {
    name: "ends a Python loop at its deadline",
    async check(sandbox) {
      const { result } = await run(sandbox, ["python3", "-c", "while True: pass"], { timeoutMs: 2000 });
      assert.equal(result.outcome, "timeout");
    },
  },
  {
    name: "cancels before and during a command",
    async check(sandbox) {
      const before = await run(sandbox, ["pwd"], { signal: AbortSignal.abort() });
      assert.deepEqual([before.result.outcome, before.stdout], ["cancelled", ""]);
      const during = await shell(sandbox, FOREVER, { signal: AbortSignal.timeout(300) });
      assert.equal(during.result.outcome, "cancelled");
      assert.equal((await shell(sandbox, "echo again")).stdout, "again\n");
    },
  },
  {
    name: "cuts the output at its limit, to the byte",
    async check(sandbox) {
      const { stdout, result } = await shell(sandbox, "while :; do echo 0123456789; done", {
        maxOutputBytes: 10_000,
      });
      assert.equal(result.outcome, "output-limit");
      assert.equal(stdout.length, 10_000);
      assert.equal(result.stdoutBytes + result.stderrBytes, 10_000);
    },
  },
  {
    name: "lets through exactly as much output as is allowed",
    async check(sandbox) {
      const { result } = await run(sandbox, ["printf", "%s", "x".repeat(1000)], { maxOutputBytes: 1000 });
      assert.deepEqual([result.outcome, result.stdoutBytes], ["exited", 1000]);
    },
  },
  {
    name: "says oom of a command that outgrew the memory, and serves the next",
    async check(sandbox) {
      const greedy = "x = []\nwhile True: x.append(bytearray(b'x' * 2 ** 24))";
      const { result } = await run(sandbox, ["python3", "-c", greedy], { timeoutMs: 60_000 });
      assert.equal(result.outcome, "oom");
      assert.equal((await shell(sandbox, "echo again")).stdout, "again\n");
    },
  },
  {
    name: "counts what it uses",
    async check(sandbox) {
      const stats = await sandbox.stats();
      assert.ok(stats.memoryBytes > 0 && stats.memoryLimitBytes > 0);
    },
  },
];
