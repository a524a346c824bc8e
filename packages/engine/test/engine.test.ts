import { InvalidInputError } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import type { Artifact } from "../src/contract.ts";
import { SECRET, setup, tarOf, textOf } from "./fixtures/setup.ts";

const artifact = (artifacts: readonly Artifact[], path: string): string =>
  textOf(artifacts.find((file) => file.path === path)!.bytes);
const reportOf = (artifacts: readonly Artifact[]) =>
  JSON.parse(artifact(artifacts, "report.json")) as Record<string, unknown>;

describe("a run", () => {
  it("unpacks inputs, runs commands in order and brings files, changes and a report back", async () => {
    const source = await tarOf({
      "a.txt": "one\ntwo\n",
      "old.txt": "gone\n",
      "bin/run": new Uint8Array([0, 1]),
    });
    const change = await tarOf({ "a.txt": "one\nTWO\n" });
    const run = setup({
      inputs: { source, change },
      scripts: {
        first: {
          output: [
            ["stdout", "hello\n"],
            ["stderr", "warned\n"],
          ],
        },
        second: {
          writes: {
            "a.txt": "one\nTWO\n",
            "new/b.txt": "b\n",
            "old.txt": undefined,
            "bin/run": new Uint8Array([0, 2]),
          },
          outputs: { "result.json": "{}" },
        },
      },
    });
    const result = await run.execute({ commands: [{ run: "first" }, { run: "second" }] });
    expect(result).toMatchObject({
      outcome: "succeeded",
      retryable: false,
      image: "fake@sha256:0",
      isolation: { engine: "fake" },
      steps: [
        { run: "first", outcome: "exited", exitCode: 0, stdoutBytes: 6, stderrBytes: 7 },
        { run: "second", exitCode: 0 },
      ],
    });
    expect(run.sandbox.calls.map(({ argv }) => argv)).toEqual([
      ["sh", "-c", "first"],
      ["sh", "-c", "second"],
    ]);
    expect([...run.sandbox.input.keys()].sort()).toEqual([
      "change/a.txt",
      "source/a.txt",
      "source/bin/run",
      "source/old.txt",
    ]);
    expect(result.artifacts.map(({ path, mediaType }) => [path, mediaType])).toEqual([
      ["report.json", "application/json"],
      ["output.log", "text/plain"],
      ["changes.patch", "text/x-diff"],
      ["data/a.txt", "text/plain"],
      ["data/bin/run", "application/octet-stream"],
      ["data/new/b.txt", "text/plain"],
      ["output/result.json", "application/json"],
    ]);
    expect(artifact(result.artifacts, "output.log")).toBe("hello\nwarned\n");
    expect(artifact(result.artifacts, "changes.patch")).toBe(
      [
        "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n",
        "diff --git a/bin/run b/bin/run\nBinary files a/bin/run and b/bin/run differ\n",
        "diff --git a/new/b.txt b/new/b.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new/b.txt\n@@ -0,0 +1,1 @@\n+b\n",
        "diff --git a/old.txt b/old.txt\ndeleted file mode 100644\n--- a/old.txt\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-gone\n",
      ].join(""),
    );
    expect(reportOf(result.artifacts)).toMatchObject({
      format: "chorus.report/1",
      task: "t1",
      attempt: 2,
      outcome: "succeeded",
      changes: { added: ["new/b.txt"], modified: ["a.txt", "bin/run"], deleted: ["old.txt"], omitted: [] },
    });
    expect(run.sandbox.disposed).toBe(1);
    expect(run.progress.map(({ phase, step }) => [phase, step])).toEqual([
      ["inputs", undefined],
      ["command-started", 0],
      ["command-finished", 0],
      ["command-started", 1],
      ["command-finished", 1],
      ["collecting", undefined],
    ]);
  });

  it("shows output redacted only, also a secret cut between chunks, and logs what it showed", async () => {
    const run = setup({
      scripts: {
        leak: {
          output: [
            ["stdout", `key=${SECRET.slice(0, 5)}`],
            ["stderr", "between\n"],
            ["stdout", `${SECRET.slice(5)}\n`],
            ["stdout", `1 failed, 2 passed in 0.1s ${SECRET}\n`],
            ["stdout", `end ${SECRET.slice(0, 3)}`],
          ],
          exitCode: 1,
        },
      },
    });
    const result = await run.execute({ commands: [{ run: "leak" }] });
    const shown = run.chunks.map(({ bytes }) => textOf(bytes)).join("");
    expect(shown).toBe("key=between\n[hidden]\n1 failed, 2 passed in 0.1s [hidden]\nend hun");
    expect(result.redactions).toBe(2);
    expect(artifact(result.artifacts, "output.log")).toBe(shown);
    expect(
      JSON.stringify([result.steps, result.reason, run.progress]) + artifact(result.artifacts, "report.json"),
    ).not.toContain(SECRET);
  });

  it("waits for whoever takes its output", async () => {
    const order: string[] = [];
    let first: (() => void) | undefined;
    const run = setup({
      scripts: {
        a: {
          output: [
            ["stdout", "1"],
            ["stdout", "2"],
          ],
        },
      },
      onOutput: async ({ bytes }) => {
        order.push(`begin ${textOf(bytes)}`);
        await new Promise<void>((resolve) => {
          if (first === undefined) first = resolve;
          else resolve();
          setImmediate(() => first?.());
        });
        order.push(`end ${textOf(bytes)}`);
      },
    });
    await run.execute({ commands: [{ run: "a" }] });
    expect(order).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
  });

  it("stops at the first failure, but not at one that is allowed", async () => {
    const scripts = { bad: { exitCode: 3 }, good: {} };
    const stopped = setup({ scripts });
    const first = await stopped.execute({ commands: [{ run: "bad" }, { run: "good" }] });
    expect(first).toMatchObject({ outcome: "failed", retryable: false, steps: [{ exitCode: 3 }] });
    expect(first.reason).toBe("command 1 of 2 exited with 3 after 0 ms [bad]");
    const allowed = setup({ scripts });
    const second = await allowed.execute({ commands: [{ run: "bad", allowFailure: true }, { run: "good" }] });
    expect(second).toMatchObject({ outcome: "succeeded", steps: [{ exitCode: 3 }, { exitCode: 0 }] });
  });

  it.each(["signaled", "timeout", "output-limit", "oom", "not-started", "unsupported-by-engine"] as const)(
    "never takes %s for success, whatever the exit code",
    async (outcome) => {
      const run = setup({ scripts: { a: { outcome, exitCode: 0, message: "because" } } });
      const result = await run.execute({ commands: [{ run: "a" }] });
      expect(result).toMatchObject({ outcome: "failed", retryable: false, steps: [{ outcome }] });
      expect(result.reason).toMatch(/^command 1 of 1 .*\[a\] \(because\)$/);
    },
  );

  it("fails when the exit code was not observed", async () => {
    const run = setup({ scripts: { a: { outcome: "exited", exitCode: "unseen" } } });
    const result = await run.execute({ commands: [{ run: "a" }] });
    expect(result).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("an unknown code") as string,
    });
  });

  it("ends for another attempt when the sandbox is lost, whatever the task allows", async () => {
    const lost = setup({ scripts: { a: { outcome: "sandbox-lost" } } });
    const result = await lost.execute({ commands: [{ run: "a", allowFailure: true }, { run: "b" }] });
    expect(result).toMatchObject({ outcome: "failed", retryable: true });
    expect(lost.sandbox.calls).toHaveLength(1);
  });
});

describe("limits", () => {
  it("end the whole task when its time is over", async () => {
    const run: ReturnType<typeof setup> = setup({
      scripts: { forever: { hangs: true, onStart: () => run.clock.advance(5000) } },
    });
    const result = await run.execute({ commands: [{ run: "forever" }], requirements: { timeoutMs: 5000 } });
    expect(result).toMatchObject({
      outcome: "failed",
      reason: "the task took longer than its limit of 5000 ms",
    });
    expect(result.steps).toMatchObject([{ outcome: "timeout" }]);
    expect(run.sandbox.disposed).toBe(1);
  });

  it("give each command the lesser of its own time and what the task has left", async () => {
    const run: ReturnType<typeof setup> = setup({
      scripts: { a: { onStart: () => run.clock.advance(700) }, b: {}, c: {} },
      options: { commandTimeoutMs: 500 },
    });
    await run.execute({
      commands: [{ run: "a", timeoutMs: 900 }, { run: "b" }, { run: "c", timeoutMs: 100 }],
      requirements: { timeoutMs: 1000 },
    });
    expect(run.sandbox.calls.map(({ options }) => options.timeoutMs)).toEqual([900, 300, 100]);
  });

  it("share the output between the commands", async () => {
    const run = setup({
      scripts: { a: { output: [["stdout", "x".repeat(30)]] }, b: {} },
      options: { maxOutputBytes: 100 },
    });
    await run.execute({ commands: [{ run: "a" }, { run: "b" }] });
    expect(run.sandbox.calls.map(({ options }) => options.maxOutputBytes)).toEqual([100, 70]);
  });

  it("fail a run whose output files are too many, and name changed files that are", async () => {
    const limits = { maxArtifactBytes: 10 };
    const many = setup({ scripts: { a: { outputs: { x: "x".repeat(11) } } }, options: limits });
    expect((await many.execute({ commands: [{ run: "a" }] })).reason).toBe(
      "the commands succeeded, but their files could not be collected: /workspace/output holds more than 1000 files or 10 bytes",
    );
    const big = setup({ scripts: { a: { writes: { x: "x".repeat(11), y: "y" } } }, options: limits });
    const result = await big.execute({ commands: [{ run: "a" }] });
    expect(result.outcome).toBe("succeeded");
    expect(reportOf(result.artifacts)["changes"]).toMatchObject({ added: ["y"], omitted: ["x"] });
  });
});

describe("ends without a run", () => {
  it("says what is missing when there is nothing to run", async () => {
    const result = await setup().execute({});
    expect(result).toMatchObject({ outcome: "failed", retryable: false, steps: [] });
    expect(result.reason).toMatch(/neither commands nor a source.*add `commands`/);
    expect(result.artifacts.map(({ path }) => path)).toEqual(["report.json", "output.log"]);
  });

  it("takes a refusal by a port for a failed result, with its own word on trying again", async () => {
    const refused = setup({ createError: new InvalidInputError("isolation", "cannot be had here") });
    const result = await refused.execute({ commands: [{ run: "a" }] });
    expect(result).toMatchObject({
      outcome: "failed",
      retryable: false,
      reason: "isolation: cannot be had here",
    });
  });

  it("passes on what is no refusal", async () => {
    const broken = setup({ createError: new TypeError("defect") });
    await expect(broken.execute({ commands: [{ run: "a" }] })).rejects.toThrow("defect");
  });

  it("rejects with the reason of a cancelled call, and leaves no sandbox behind", async () => {
    const reason = new Error("no longer wanted");
    const run: ReturnType<typeof setup> = setup({
      scripts: { a: { hangs: true, onStart: () => run.controller.abort(reason) } },
    });
    await expect(run.execute({ commands: [{ run: "a" }] })).rejects.toBe(reason);
    expect(run.sandbox.disposed).toBe(1);
    await expect(run.execute({ commands: [{ run: "a" }] })).rejects.toBe(reason);
  });

  it("keeps a failed collection apart from a failed command", async () => {
    const run = setup({ scripts: { a: {} } });
    run.sandbox.collectError = new InvalidInputError("output", "has a loop");
    const result = await run.execute({ commands: [{ run: "a" }] });
    expect(result.reason).toBe(
      "the commands succeeded, but their files could not be collected: output: has a loop",
    );
    expect(result.artifacts.map(({ path }) => path)).toEqual(["report.json", "output.log"]);
  });
});
