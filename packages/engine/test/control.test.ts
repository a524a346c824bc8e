import { expect, it } from "vitest";
import { setup, tarOf } from "./fixtures/setup.ts";

const ok = { output: [["stdout", "ok\n"]] } as const;
const source = await tarOf({ "package.json": JSON.stringify({ scripts: { test: "x" } }) });

/** A person's hand on a run. */
function hand() {
  let going = Promise.withResolvers<void>();
  going.resolve();
  const said: string[] = [];
  return {
    said,
    pause: () => void (going = Promise.withResolvers<void>()),
    resume: () => going.resolve(),
    control: {
      steering: () => said,
      whenRunning: async ({ signal }: { readonly signal: AbortSignal }) => {
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        await Promise.race([going.promise, promise]);
      },
    },
  };
}

it("runs acceptance commands after the others and succeeds only if they do", async () => {
  const run = setup({ scripts: { work: ok, check: { exitCode: 1 } } });
  const result = await run.execute({ commands: [{ run: "work" }], acceptance: [{ run: "check" }] });
  expect(result).toMatchObject({ outcome: "failed", retryable: false });
  expect(result.reason).toContain("command 2 of 2 exited with 1");
  expect(run.progress.map(({ phase }) => phase)).toEqual([
    "inputs",
    "command-started",
    "command-finished",
    "verifying",
    "command-started",
    "command-finished",
    "collecting",
  ]);
});

it("checks a recipe's run as well, and checks nothing of a run that failed before", async () => {
  const found = setup({ inputs: { source }, scripts: { "npm test": ok, check: ok } });
  const passed = await found.execute({ acceptance: [{ run: "check" }] });
  expect(passed).toMatchObject({ outcome: "succeeded", recipe: expect.any(String) });
  expect(passed.steps.at(-1)).toMatchObject({ run: "check" });
  const broken = setup({ scripts: { work: { exitCode: 2 }, check: ok } });
  const failed = await broken.execute({ commands: [{ run: "work" }], acceptance: [{ run: "check" }] });
  expect(failed.steps.map(({ run }) => run)).toEqual(["work"]);
});

it("stands still between commands while it is paused, without using up its time", async () => {
  const { control, pause, resume } = hand();
  const run = setup({
    control,
    options: { taskTimeoutMs: 1000 },
    scripts: { first: { ...ok, onStart: pause }, second: ok },
  });
  const executing = run.execute({ commands: [{ run: "first" }, { run: "second" }] });
  await run.clock.advance(900);
  expect(run.sandbox.calls.map(({ argv }) => argv[2])).toEqual(["first"]);
  await run.clock.advance(60_000);
  expect(run.sandbox.calls).toHaveLength(1);
  resume();
  expect(await executing).toMatchObject({ outcome: "succeeded" });
});

it("still ends at its time limit after a pause", async () => {
  const { control, pause, resume } = hand();
  const run = setup({
    control,
    options: { taskTimeoutMs: 1000 },
    scripts: { first: { ...ok, onStart: pause }, second: { hangs: true } },
  });
  const executing = run.execute({ commands: [{ run: "first" }, { run: "second" }] });
  await run.clock.advance(5000);
  resume();
  await run.clock.advance(900);
  let ended = false;
  void executing.then(() => (ended = true));
  await run.clock.advance(50);
  expect(ended).toBe(false);
  await run.clock.advance(1000);
  expect(await executing).toMatchObject({ outcome: "failed", reason: expect.stringContaining("1000") });
});

it("can be cancelled while it is paused", async () => {
  const { control, pause } = hand();
  pause();
  const run = setup({ control, scripts: { first: ok } });
  const executing = run.execute({ commands: [{ run: "first" }] });
  const rejected = expect(executing).rejects.toThrow("enough");
  await run.clock.advance(10);
  run.controller.abort(new Error("enough"));
  await rejected;
  expect(run.sandbox.disposed).toBe(1);
});

it("tells the next command what people said", async () => {
  const { control, said } = hand();
  const run = setup({
    control,
    scripts: { first: { ...ok, onStart: () => void said.push("mind\nthe gap", "hurry") }, second: ok },
  });
  await run.execute({ commands: [{ run: "first" }, { run: "second" }] });
  expect(run.sandbox.calls.map(({ options }) => options.env?.["CHORUS_STEERING"])).toEqual([
    undefined,
    "mind the gap\nhurry",
  ]);
});
