import { createSigner, encodeCanonical } from "@chorus/kernel";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sealCommand, type TaskCommand } from "../src/command.ts";
import { taskMachine } from "../src/core/task-machine.ts";
import type { Tasks } from "../src/core/tasks.ts";
import { taskIdOf } from "../src/task-id.ts";
import { parseTask } from "../src/task-spec.ts";

const machine = taskMachine({ cluster: "test" });
const signer = await createSigner(new Uint8Array(32).fill(1));
const seal = (command: TaskCommand) => sealCommand(command, { cluster: "test", signer, now: 5 });
const idOf = (key: string) => taskIdOf("ada", key);
const submit = (key: string, spec: object = {}): TaskCommand => ({
  type: "task-submit",
  principal: "ada",
  key,
  spec: parseTask({ goal: "g", labels: { team: "é" }, ...spec }),
});

async function stateOf(commands: readonly TaskCommand[]): Promise<Tasks> {
  const state = machine.initial();
  for (const [i, command] of commands.entries())
    machine.apply(state, { index: i + 1, term: 1, command: await seal(command) });
  return state;
}

const partsOf = (state: Tasks): Uint8Array[] => [...machine.snapshot(state)];

const move = fc.record({ key: fc.constantFrom("a", "b", "c", "d"), kind: fc.nat(7), text: fc.string() });

it("comes back as it was, whatever has happened to the tasks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
      const state = machine.initial();
      for (const [i, { key, kind, text }] of moves.entries()) {
        const task = idOf(key);
        const token = state.tasks.get(task)?.lease?.token ?? { term: 0, index: 0 };
        const message = text.toWellFormed().normalize("NFC");
        const step = { phase: "p", message };
        const command = (
          [
            submit(key, key === "d" ? { dependsOn: [idOf("a")] } : {}),
            { type: "task-claim", task, capabilities: [], ttlMs: 1000, session: "s" },
            { type: "task-progress", task, token, step },
            { type: "task-fail", task, token, reason: { code: "c", message } },
            { type: "task-pause", task, reason: message },
            { type: "task-resume", task },
            { type: "task-steer", task, id: `${i}`, text: message === "" ? "t" : message },
            { type: "task-cancel", task, reason: message },
          ] as const satisfies readonly TaskCommand[]
        )[kind]!;
        machine.apply(state, { index: i + 1, term: 1, command: await seal(command) });
      }
      const again = machine.restore(partsOf(state));
      expect(again).toEqual(state);
      expect(partsOf(again)).toEqual(partsOf(state));
      // A watcher who moves to a peer that was restored reads on in the same bytes.
      const textOf = ({ tasks }: Tasks) => JSON.stringify([...tasks.values()].map(({ events }) => events));
      expect(textOf(again)).toBe(textOf(state));
    }),
    { numRuns: process.env["SLOW"] === "1" ? 1000 : 60 },
  );
});

it("shows the moment of the call, whatever is applied while its parts are made", async () => {
  const state = await stateOf([submit("a"), submit("b")]);
  const before = partsOf(state);
  const parts = machine.snapshot(state);
  machine.apply(state, { index: 3, term: 1, command: await seal(submit("c")) });
  machine.apply(state, {
    index: 4,
    term: 1,
    command: await seal({ type: "task-cancel", task: idOf("a"), reason: "" }),
  });
  expect([...parts]).toEqual(before);
  expect(machine.restore(before).order).toEqual([idOf("a"), idOf("b")]);
});

it("cuts tasks of any size into parts that are small enough", async () => {
  const message = "x".repeat(500);
  const task = idOf("a");
  const token = { term: 1, index: 2 };
  const state = await stateOf([
    submit("a"),
    { type: "task-claim", task, capabilities: [], ttlMs: 1000, session: "s" },
    ...Array.from({ length: 200 }, () => ({
      type: "task-progress" as const,
      task,
      token,
      step: { phase: "p", message },
    })),
    submit("b"),
  ]);
  const parts = partsOf(state);
  expect(parts.length).toBeGreaterThan(2);
  for (const part of parts) expect(part.length).toBeLessThanOrEqual(49_152);
  expect(machine.restore(parts)).toEqual(state);
  expect(machine.restore(machine.snapshot(machine.initial()))).toEqual(machine.initial());
});

it("goes on as the machine that it was taken of", async () => {
  const commands = [submit("a"), submit("b", { dependsOn: [idOf("a")] })];
  const state = await stateOf(commands);
  const again = machine.restore(partsOf(state));
  const cancel = await seal({ type: "task-cancel", task: idOf("a"), reason: "" });
  for (const one of [state, again]) machine.apply(one, { index: 3, term: 1, command: cancel });
  expect(again.tasks.get(idOf("b"))?.state).toBe("rejected");
  expect(again).toEqual(state);
});

it("throws on what is no snapshot", async () => {
  const [part] = partsOf(await stateOf([submit("a"), submit("b")]));
  const malformed = expect.objectContaining({ code: "coordinator/snapshot-malformed" });
  const framed = (...values: Uint8Array[]) =>
    values.map((bytes) => {
      const whole = new Uint8Array(4 + bytes.length);
      new DataView(whole.buffer).setUint32(0, bytes.length);
      whole.set(bytes, 4);
      return whole;
    });
  const header = encodeCanonical({ $type: "chorus.tasks/1", tasks: 1 });
  for (const bad of [
    [],
    [part!.slice(0, -1)],
    [part!, part!],
    [Uint8Array.of(255, 255, 255, 255)],
    framed(encodeCanonical({ tasks: 0 })),
    framed(header),
    framed(header, encodeCanonical("task")),
    framed(
      header,
      encodeCanonical({ id: idOf("a"), state: "asleep", events: [], specBytes: Uint8Array.of(1) }),
    ),
    framed(
      header,
      encodeCanonical({ id: idOf("a"), state: "ready", events: [], specBytes: encodeCanonical({}) }),
    ),
    framed(header, Uint8Array.of(0xff)),
  ])
    expect(() => machine.restore(bad)).toThrow(malformed);
  // Every single bit counts for something, or comes back as another state.
  for (let at = 0; at < part!.length; at += 7) {
    const flipped = part!.slice();
    flipped[at]! ^= 1;
    let again: Tasks | undefined;
    try {
      again = machine.restore([flipped]);
    } catch (error) {
      expect(error).toEqual(malformed);
    }
    if (again !== undefined) expect(partsOf(again)).toEqual([flipped]);
  }
});

it("makes parts of many tasks without holding the process up", async () => {
  const state = await stateOf([submit("a")]);
  const [record] = state.tasks.values();
  const count = process.env["SLOW"] === "1" ? 100_000 : 5000;
  for (let n = 0; n < count; n++) {
    const id = idOf(`n${n}`);
    state.tasks.set(id, { ...record!, id });
    state.order.push(id);
  }
  let longest = 0;
  const parts: Uint8Array[] = [];
  let before = performance.now();
  for (const part of machine.snapshot(state)) {
    longest = Math.max(longest, performance.now() - before);
    parts.push(part);
    before = performance.now();
  }
  // One part is a few milliseconds of work; the rest is room for a busy machine.
  expect(longest).toBeLessThan(250);
  expect(machine.restore(parts).order).toHaveLength(count + 1);
});
