import assert from "node:assert/strict";
import { errorCode } from "@chorus/kernel";
import { FILE_CASES } from "./file-cases.ts";
import { LIMIT_CASES } from "./limit-cases.ts";
import { type ConformanceCase, run, shell, tarOf } from "./tools.ts";

/** Commands: their words, their surroundings, their ends. All of it with `sh` and Python alone. */
const COMMAND_CASES: readonly ConformanceCase[] = [
  {
    name: "tells output and exit code of a program",
    async check(sandbox) {
      const { stdout, stderr, result } = await shell(sandbox, "echo out; echo err >&2; exit 3");
      assert.equal(stdout, "out\n");
      assert.equal(stderr, "err\n");
      assert.equal(result.outcome, "exited");
      assert.equal(result.exitCode, 3);
      assert.deepEqual([result.stdoutBytes, result.stderrBytes], [4, 4]);
    },
  },
  {
    name: "passes arguments as they are, through no shell",
    async check(sandbox) {
      const { stdout } = await run(sandbox, ["printf", "%s|", "a b", "$HOME", "*", "'", "; exit 9"]);
      assert.equal(stdout, "a b|$HOME|*|'|; exit 9|");
    },
  },
  {
    name: "gives the whole standard input, and an empty one when there is none",
    async check(sandbox) {
      const stdin = Buffer.from("line\n".repeat(50_000));
      assert.equal((await run(sandbox, ["wc", "-l"], { stdin })).stdout.trim(), "50000");
      const { stdout, result } = await run(sandbox, ["cat"]);
      assert.deepEqual([stdout, result.outcome, result.exitCode], ["", "exited", 0]);
    },
  },
  {
    name: "starts in /workspace/data or where it is told to",
    async check(sandbox) {
      assert.equal((await run(sandbox, ["pwd"])).stdout, "/workspace/data\n");
      assert.equal((await run(sandbox, ["pwd"], { cwd: "/workspace/output" })).stdout, "/workspace/output\n");
    },
  },
  {
    name: "shows a command its own environment and nothing of the agent's",
    async check(sandbox) {
      const secret = "CHORUS_CONFORMANCE_SECRET";
      process.env[secret] = "must-not-leak";
      try {
        const { stdout } = await shell(sandbox, 'env; echo "$GREETING from $HOME in $TMPDIR"', {
          env: { GREETING: "hello" },
        });
        assert.doesNotMatch(stdout, /must-not-leak/);
        assert.match(stdout, /^hello from \/tmp in \/tmp$/m);
        assert.equal((await shell(sandbox, 'echo "[$GREETING]"')).stdout, "[]\n");
      } finally {
        delete process.env[secret];
      }
    },
  },
  {
    name: "has a place for temporary files, of which scripts can be run",
    async check(sandbox) {
      const { stdout } = await shell(sandbox, 'echo "echo ran" >"$TMPDIR/x"; sh "$TMPDIR/x"; cd ~ && pwd');
      assert.equal(stdout, "ran\n/tmp\n");
    },
  },
  {
    name: "says not-started of what is not there",
    async check(sandbox) {
      const missing = await run(sandbox, ["no-such-program-here"]);
      assert.deepEqual([missing.result.outcome, missing.stdout], ["not-started", ""]);
      assert.match(missing.result.message ?? "", /no-such-program-here/);
      const nowhere = await run(sandbox, ["pwd"], { cwd: "/no/such/folder" });
      assert.deepEqual([nowhere.result.outcome, nowhere.stdout], ["not-started", ""]);
      for (const [argv, env] of [
        [[], {}],
        [["a\0b"], {}],
        [["pwd"], { "NOT A NAME": "x" }],
      ] as const)
        assert.equal((await run(sandbox, argv, { env })).result.outcome, "not-started");
    },
  },
  {
    name: "runs commands one after another in the order of the calls",
    async check(sandbox) {
      const all = [1, 2, 3].map((n) => shell(sandbox, `echo ${n} >>log; cat log`));
      assert.deepEqual(
        (await Promise.all(all)).map(({ stdout }) => stdout),
        ["1\n", "1\n2\n", "1\n2\n3\n"],
      );
    },
  },
  {
    name: "lets a command go on when its reader leaves",
    async check(sandbox) {
      const execution = sandbox.exec([
        "sh",
        "-c",
        "echo first; echo second; echo done >/workspace/output/mark",
      ]);
      for await (const _ of execution) break;
      assert.equal((await execution.result).exitCode, 0);
      assert.equal((await shell(sandbox, "cat /workspace/output/mark")).stdout, "done\n");
    },
  },
  {
    name: "runs Python's standard library and its unittest",
    async check(sandbox) {
      const test = [
        "import unittest, json, difflib, hashlib, re",
        "class T(unittest.TestCase):",
        "    def test_ok(self): self.assertEqual(json.loads('[1]'), [1])",
        "    def test_bad(self): self.assertEqual(1, 2)",
        "unittest.main()",
      ];
      const { stderr, result } = await run(sandbox, ["python3", "-c", test.join("\n")]);
      assert.equal(result.exitCode, 1);
      assert.match(stderr, /Ran 2 tests/);
      assert.match(stderr, /FAILED \(failures=1\)/);
    },
  },
  {
    name: "finds a Python project's own modules and tests",
    async check(sandbox) {
      const test = [
        "import unittest",
        "from shop import price",
        "class T(unittest.TestCase):",
        "    def test_price(self): self.assertEqual(price.CENTS, 100)",
      ];
      await sandbox.put(
        "data",
        await tarOf({
          "project/shop/__init__.py": "",
          "project/shop/price.py": "CENTS = 100",
          "project/test_price.py": test.join("\n"),
        }),
      );
      const options = { cwd: "/workspace/data/project" };
      const { stderr, result } = await run(sandbox, ["python3", "-m", "unittest"], options);
      assert.match(stderr, /Ran 1 test/);
      assert.equal(result.exitCode, 0);
    },
  },
  {
    name: "says how a signal ended a program",
    async check(sandbox) {
      const { result } = await shell(sandbox, "kill -9 $$");
      assert.deepEqual([result.outcome, result.signal], ["signaled", 9]);
    },
  },
  {
    name: "hands output on while the command runs",
    async check(sandbox) {
      const cancel = new AbortController();
      const execution = sandbox.exec(["sh", "-c", "echo started; sleep 5"], { signal: cancel.signal });
      for await (const _ of execution) cancel.abort();
      assert.equal((await execution.result).outcome, "cancelled");
    },
  },
  {
    name: "hands bytes on exactly, text or not",
    async check(sandbox) {
      const execution = sandbox.exec(["printf", String.raw`\377\000\200\n`]);
      const pieces: Uint8Array[] = [];
      for await (const { bytes } of execution) pieces.push(bytes);
      assert.equal(Buffer.concat(pieces).toString("hex"), "ff00800a");
    },
  },
  {
    name: "answers everything after its disposal with an end",
    async check(sandbox) {
      await sandbox[Symbol.asyncDispose]();
      await sandbox[Symbol.asyncDispose]();
      assert.equal((await run(sandbox, ["pwd"])).result.outcome, "sandbox-lost");
      await assert.rejects(sandbox.put("data", new Uint8Array(1024)), (e) => errorCode(e) === "sandbox/lost");
      await assert.rejects(
        Array.fromAsync(sandbox.collect("data")),
        (e) => errorCode(e) === "sandbox/collect-failed",
      );
      await assert.rejects(sandbox.stats(), (e) => errorCode(e) === "sandbox/lost");
    },
  },
];

/**
 * What every engine promises. An engine that cannot keep a promise lists the case by name with a reason, and its tests
 * expect the case to fail: a deviation that has gone is noticed too.
 */
export const conformance: readonly ConformanceCase[] = [...COMMAND_CASES, ...LIMIT_CASES, ...FILE_CASES];
