import { expect, it } from "vitest";
import { runSteps, type Outcome, type Step } from "../schedule.ts";

const run = async (steps: readonly Step[], width = 2) => {
  const order: string[] = [];
  const outcomes = await runSteps(steps, { width, onEnd: ({ name }) => order.push(name) });
  return { order, states: Object.fromEntries(outcomes.map(({ name, state }) => [name, state])), outcomes };
};
const passing = (name: string, needs: readonly string[] = []): Step => ({ name, needs, run: () => [] });

it("runs every step although one fails, and skips only what needs it", async () => {
  const { states } = await run([
    { name: "build", run: () => ["broken"] },
    passing("lint"),
    passing("packs", ["build"]),
    passing("publish", ["packs"]),
  ]);
  expect(states).toEqual({ build: "failed", lint: "passed", packs: "skipped", publish: "skipped" });
});

it("takes a thrown error for a failure of that step alone", async () => {
  const { states, outcomes } = await run([
    { name: "bad", run: () => Promise.reject(new Error("no such file")) },
    passing("good"),
  ]);
  expect(states).toEqual({ bad: "failed", good: "passed" });
  expect(outcomes[0]!.problems[0]).toContain("no such file");
});

it("never runs more than its width at once", async () => {
  let running = 0;
  let most = 0;
  const steps = Array.from({ length: 9 }, (_, i) => ({
    name: String(i),
    run: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return [];
    },
  }));
  const { order } = await run(steps, 3);
  expect(most).toBe(3);
  expect(order).toHaveLength(9);
});

it("starts a step that waits for nothing while another waits", async () => {
  const late = Promise.withResolvers<readonly string[]>();
  const order: string[] = [];
  const onEnd = ({ name }: Outcome) => {
    order.push(name);
    if (name === "lint") late.resolve([]);
  };
  await runSteps([{ name: "build", run: () => late.promise }, passing("packs", ["build"]), passing("lint")], {
    width: 2,
    onEnd,
  });
  expect(order).toEqual(["lint", "build", "packs"]);
});
