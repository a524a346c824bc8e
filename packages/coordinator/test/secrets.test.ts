import { decodeCanonical } from "@chorus/kernel";
import { expect, it } from "vitest";
import { succeeded } from "../src/testing/index.ts";
import { endedAt, eventsOf, mesh, SECRET, signal, submission, viewOf } from "./fixtures/mesh.ts";

it("lets no secret of a run out through any port", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async (_task, { onProgress }) => {
      // 505 characters before it: cut first and scanned later, half of the secret would get through.
      onProgress({ phase: "command-started", message: `${"x".repeat(505)}${SECRET}` });
      return {
        ...succeeded({
          "output.log": "clean\n",
          "leak.env": `KEY=${SECRET}`,
          [`${SECRET}.txt`]: "named after it",
        }),
        reason: `saw ${SECRET}`,
        steps: [
          {
            run: `echo ${SECRET}`,
            outcome: "exited",
            exitCode: 0,
            durationMs: 1.5,
            stdoutBytes: 1,
            stderrBytes: 0,
          },
        ],
      };
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const { result } = await net.until(endedAt(alice, taskId));
  await net.until(() => net.published.length === 1);

  expect(result?.quarantined).toEqual([{ path: "leak.env", rules: ["canary"] }]);
  expect(result?.artifacts.map(({ path }) => path)).toEqual(["output.log", "[hidden].txt"]);
  expect(result).toMatchObject({
    quarantinedCount: 1,
    artifactCount: 2,
    redactions: 3,
    reason: "saw [hidden]",
  });
  const manifest = decodeCanonical(net.store.get(result!.manifest)!);
  expect(manifest).toMatchObject({ quarantined: [{ path: "leak.env", rules: ["canary"] }] });

  const ports = new Set(alice.tap.ports());
  expect([...ports].toSorted()).toEqual([
    "eventLog",
    "head",
    "ledger",
    "log",
    "pubsub",
    "records",
    "storage",
  ]);
  for (const { port, text } of alice.tap.calls) expect(text, port).not.toMatch(/SECRET|0123456789/);
  const held = JSON.stringify([viewOf(alice, taskId), await eventsOf(alice, taskId)]);
  expect(held).not.toMatch(/SECRET|0123456789/);
});

it("lets no secret of a failed attempt out", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async () => {
      throw new Error(`cannot log in with ${SECRET}`);
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 1 }, submission("1"));
  const view = await net.until(endedAt(alice, taskId));
  expect(view.reason?.message).toBe("cannot log in with [hidden]");
  for (const { port, text } of alice.tap.calls) expect(text, port).not.toContain(SECRET);
});

it("lets no secret of a cancellation out", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await alice.coordinator.cancel(taskId, { reason: `leaked ${SECRET}`, signal });
  expect(viewOf(alice, taskId).reason?.message).toBe("leaked [hidden]");
  for (const { port, text } of alice.tap.calls) expect(text, port).not.toContain(SECRET);
});

it("gossips the address and nothing else", async () => {
  await using net = mesh();
  const alice = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "the goal" }, submission("1"));
  const { result } = await net.until(endedAt(alice, taskId));
  await net.until(() => net.published.length === 1);
  expect(net.published).toEqual([{ topic: "chorus/decisions", body: { address: result?.decision.address } }]);
});
