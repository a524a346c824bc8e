import { cidFromDigest, createSigner } from "@chorus/kernel";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { sealCommand, type TaskCommand } from "../src/command.ts";
import type { CommandResult, TaskRecord } from "../src/contract-ports.ts";
import type { TaskId, TaskResult, TaskState } from "../src/contract-task.ts";
import { joinOf } from "../src/core/dependencies.ts";
import { taskMachine } from "../src/core/task-machine.ts";
import type { Tasks } from "../src/core/tasks.ts";
import { isTerminal } from "../src/core/transitions.ts";
import { taskIdOf } from "../src/task-id.ts";
import { parseTask } from "../src/task-spec.ts";
import { endedAt, eventsOf, gate, mesh, signal, submission, through, viewOf } from "./fixtures/mesh.ts";
import { succeeded } from "../src/testing/index.ts";

const idOf = (key: string): TaskId => taskIdOf("ada", key);
let seal: (command: TaskCommand) => Promise<Uint8Array>;
beforeAll(async () => {
  const signer = await createSigner(new Uint8Array(32).fill(1));
  seal = (command) => sealCommand(command, { cluster: "test", signer, now: 5 });
});

/** A ledger of one machine that is told one command after the other. */
function table() {
  const machine = taskMachine({ cluster: "test" });
  const state: Tasks = machine.initial();
  let index = 0;
  const apply = async (command: TaskCommand): Promise<CommandResult> =>
    machine.apply(state, { index: ++index, term: 1, command: await seal(command) }).result;
  return {
    state,
    apply,
    submit: (key: string, spec: object = {}) =>
      apply({ type: "task-submit", principal: "ada", key, spec: parseTask({ goal: key, ...spec }) }),
    end: async (key: string, how: "completed" | "canceled" | "dead-letter"): Promise<void> => {
      const task = idOf(key);
      if (how === "canceled") {
        await apply({ type: "task-cancel", task, reason: "" });
        return;
      }
      await apply({ type: "task-claim", task, capabilities: [], ttlMs: 1000, session: "s" });
      const { token } = state.tasks.get(task)!.lease!;
      if (how === "completed") await apply({ type: "task-complete", task, token, result: result() });
      else await apply({ type: "task-fail", task, token, reason: { code: "c", message: "m" } });
    },
    stateOf: (key: string): TaskState | undefined => state.tasks.get(idOf(key))?.state,
    record: (key: string): TaskRecord => state.tasks.get(idOf(key))!,
  };
}

const cid = cidFromDigest(new Uint8Array(32), "raw");
const result = (): TaskResult => ({
  outcome: "succeeded",
  decision: { address: "ucxl://d/t/a/b/@v1", cid, signatures: cid },
  manifest: cid,
  artifacts: [],
  artifactCount: 0,
  quarantined: [],
  quarantinedCount: 0,
  redactions: 0,
  replicas: 1,
  degraded: false,
});

it("keeps a task blocked until all it depends on are completed", async () => {
  const { submit, end, stateOf, record } = table();
  await submit("a");
  await submit("b");
  await submit("c", { dependsOn: [idOf("a"), idOf("b")] });
  expect(stateOf("c")).toBe("blocked");
  await end("a", "completed");
  expect(stateOf("c")).toBe("blocked");
  await end("b", "completed");
  expect(stateOf("c")).toBe("ready");
  expect(record("c").events.map(({ type }) => type)).toEqual([
    "task-submitted",
    "task-blocked",
    "task-unblocked",
  ]);
});

it("waits for a dependency that the ledger does not know yet", async () => {
  const { submit, end, stateOf } = table();
  await submit("b", { dependsOn: [idOf("a")] });
  expect(stateOf("b")).toBe("blocked");
  await submit("a");
  await end("a", "completed");
  expect(stateOf("b")).toBe("ready");
});

it("is ready at once when what it depends on is completed already", async () => {
  const { submit, end, stateOf } = table();
  await submit("a");
  await end("a", "completed");
  await submit("b", { dependsOn: [idOf("a")] });
  expect(stateOf("b")).toBe("ready");
});

it("rejects, naming the dependency, what can never run, and all that waits for it", async () => {
  const { submit, end, stateOf, record } = table();
  await submit("a", { attempts: 1 });
  await submit("b", { dependsOn: [idOf("a")] });
  await submit("c", { dependsOn: [idOf("b")] });
  await submit("d", { dependsOn: [idOf("c"), idOf("never")] });
  await end("a", "dead-letter");
  expect(["b", "c", "d"].map(stateOf)).toEqual(["rejected", "rejected", "rejected"]);
  expect(record("b").reason?.message).toContain(`${idOf("a")} is dead-letter`);
  await submit("e", { dependsOn: [idOf("a")] });
  expect(stateOf("e")).toBe("rejected");
});

it("lets any one do, or as many as are asked for", async () => {
  const { submit, end, stateOf } = table();
  const dependsOn = ["a", "b", "c"].map(idOf);
  for (const key of ["a", "b", "c"]) await submit(key);
  await submit("any", { dependsOn, join: "any" });
  await submit("two", { dependsOn, join: { atLeast: 2 } });
  await end("a", "canceled");
  expect([stateOf("any"), stateOf("two")]).toEqual(["blocked", "blocked"]);
  await end("b", "completed");
  expect([stateOf("any"), stateOf("two")]).toEqual(["ready", "blocked"]);
  await end("c", "completed");
  expect(stateOf("two")).toBe("ready");
});

it("rejects a k-of-n as soon as too few are left", async () => {
  const { submit, end, stateOf } = table();
  for (const key of ["a", "b", "c"]) await submit(key);
  await submit("two", { dependsOn: ["a", "b", "c"].map(idOf), join: { atLeast: 2 } });
  await end("a", "canceled");
  expect(stateOf("two")).toBe("blocked");
  await end("b", "canceled");
  expect(stateOf("two")).toBe("rejected");
});

it("rejects a task that would wait for itself, however long the way round is", async () => {
  const { submit, stateOf, record } = table();
  await submit("self", { dependsOn: [idOf("self")] });
  expect(record("self").reason?.code).toBe("coordinator/dependency-cycle");
  await submit("a", { dependsOn: [idOf("b")] });
  await submit("b", { dependsOn: [idOf("c")] });
  expect(stateOf("b")).toBe("blocked");
  await submit("c", { dependsOn: [idOf("a")] });
  expect(record("c").reason?.code).toBe("coordinator/dependency-cycle");
  // And with it those that waited for it.
  expect([stateOf("a"), stateOf("b")]).toEqual(["rejected", "rejected"]);
});

it("looks again at its dependencies when a task is resumed that was paused meanwhile", async () => {
  const { submit, end, stateOf, apply } = table();
  for (const key of ["a", "b"]) await submit(key);
  for (const key of ["1", "2", "3"]) await submit(key, { dependsOn: [idOf(key === "3" ? "b" : "a")] });
  for (const key of ["1", "2", "3"]) await apply({ type: "task-pause", task: idOf(key), reason: "" });
  await apply({ type: "task-resume", task: idOf("1") });
  expect(stateOf("1")).toBe("blocked");
  await end("a", "completed");
  expect([stateOf("1"), stateOf("2")]).toEqual(["ready", "paused"]);
  await apply({ type: "task-resume", task: idOf("2") });
  expect(stateOf("2")).toBe("ready");
  await end("b", "canceled");
  await apply({ type: "task-resume", task: idOf("3") });
  expect(stateOf("3")).toBe("rejected");
});

it("lets nobody take over what was blocked when it was paused", async () => {
  const { submit, stateOf, apply } = table();
  await submit("a");
  await submit("1", { dependsOn: [idOf("a")] });
  await apply({ type: "task-pause", task: idOf("1"), reason: "" });
  const taken = await apply({
    type: "task-takeover",
    task: idOf("1"),
    reason: "",
    ttlMs: 5000,
    session: "s",
  });
  expect(taken).toMatchObject({ status: "refused", refusal: "not-possible" });
  expect(stateOf("1")).toBe("paused");
});

it("leaves no task waiting whose join is settled, in any order of any tasks and ends", async () => {
  const keys = ["a", "b", "c", "d", "e", "f"];
  const join = fc.constantFrom("all", "any", { atLeast: 1 } as const);
  const move = fc.record({
    key: fc.constantFrom(...keys),
    on: fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 3 }),
    join,
    how: fc.constantFrom("submit", "submit", "completed", "canceled", "dead-letter"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 25 }), async (moves) => {
      const one = table();
      for (const { key, on, join: kind, how } of moves) {
        const spec = on.length === 0 ? {} : { dependsOn: on.map(idOf), join: kind };
        if (how === "submit") await one.submit(key, { attempts: 1, ...spec });
        else if (["ready"].includes(one.stateOf(key) ?? "")) await one.end(key, how);
        for (const record of one.state.tasks.values()) {
          const settled = joinOf(record.spec, (id) => one.state.tasks.get(id)?.state);
          if (record.state === "blocked") expect(settled.status).toBe("open");
          else if (!isTerminal(record.state)) expect(settled.status).toBe("holds");
        }
      }
    }),
    { numRuns: process.env["SLOW"] === "1" ? 2000 : 150 },
  );
});

it("follows ten thousand tasks in a chain without going in circles", async () => {
  const { submit, end, stateOf } = table();
  const count = process.env["SLOW"] === "1" ? 10_000 : 1000;
  for (let n = count; n > 0; n--) await submit(`${n}`, { dependsOn: [idOf(`${n - 1}`)] });
  await submit("0", { attempts: 1 });
  await end("0", "dead-letter");
  expect(stateOf(`${count}`)).toBe("rejected");
});

it("runs what a completed task has let go, at another peer too, and says what others wait for", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  await net.join({
    script: async (_task, { signal: stop }) => {
      await through(door.opened, stop);
      return succeeded();
    },
  });
  const { taskId: first } = await alice.coordinator.submit({ goal: "first" }, submission("1"));
  const { taskId: second } = await alice.coordinator.submit(
    { goal: "second", dependsOn: [first] },
    submission("2"),
  );
  await net.until(() => viewOf(alice, first).state === "working");
  expect(viewOf(alice, second)).toMatchObject({ state: "blocked", waitingFor: [`task:${first}`] });
  door.open();
  expect(await net.until(endedAt(alice, second))).toMatchObject({ state: "completed" });
  expect((await eventsOf(alice, second)).map(({ type }) => type).slice(0, 3)).toEqual([
    "task-submitted",
    "task-blocked",
    "task-unblocked",
  ]);
});

it("ends the events of a task that is rejected with another one", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId: first } = await alice.coordinator.submit({ goal: "first" }, submission("1"));
  const { taskId } = await alice.coordinator.submit({ goal: "second", dependsOn: [first] }, submission("2"));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of alice.coordinator.events(taskId, { signal })) seen.push(type);
  })();
  await alice.coordinator.cancel(first, { reason: "", signal });
  await reading;
  expect(seen).toEqual(["task-submitted", "task-blocked", "task-rejected"]);
  expect(viewOf(alice, taskId).entry).toBe(alice.peer);
});
