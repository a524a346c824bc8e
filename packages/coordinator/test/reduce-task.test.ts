import { readFileSync } from "node:fs";
import { type Cid, cidFromDigest, createSigner, type PeerId } from "@chorus/kernel";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { decodeCommand, sealCommand, type TaskCommand } from "../src/command.ts";
import type { TaskRecord, TaskResult, TaskState, Token } from "../src/contract.ts";
import { MAX_PROGRESS, reduceTask, subjectOf } from "../src/reduce-task.ts";
import { taskIdOf } from "../src/task-id.ts";
import { taskMachine } from "../src/task-machine.ts";
import { parseTask } from "../src/task-spec.ts";
import { isTerminal, transitions } from "../src/transitions.ts";

const peers: PeerId[] = [];
beforeAll(async () => {
  for (const seed of [1, 2, 3]) peers.push((await createSigner(new Uint8Array(32).fill(seed))).peer);
});

const id = taskIdOf("ada", "1");
const spec = parseTask({ goal: "g", attempts: 3 });
const cid = (n: number): Cid => cidFromDigest(new Uint8Array(32).fill(n), "raw");
const result = (n: number, outcome: "succeeded" | "failed" = "succeeded"): TaskResult => ({
  outcome,
  decision: { address: `ucxl://default/t/agent/a/@v${n}`, cid: cid(n), signatures: cid(n) },
  manifest: cid(n),
  artifacts: [],
  artifactCount: 0,
  quarantined: [],
  quarantinedCount: 0,
  redactions: 0,
  replicas: 2,
  degraded: false,
});

/** A command as a random peer might send it: with the current token, an old one, or one it made up. */
interface Move {
  readonly kind: TaskCommand["type"];
  readonly peer: number;
  readonly back: number;
  readonly n: number;
  readonly newTerm: boolean;
}

const move = fc.record<Move>({
  kind: fc.constantFrom(
    "task-submit",
    "task-claim",
    "task-renew",
    "task-progress",
    "task-complete",
    "task-fail",
    "task-cancel",
    "task-expire",
  ),
  peer: fc.nat(2),
  back: fc.nat(2),
  n: fc.nat(3),
  newTerm: fc.boolean(),
});

/** Moves that bring a task to another attempt, so that its last one is reached often enough. */
const onward: readonly Move["kind"][] = ["task-claim", "task-progress", "task-fail", "task-expire"];
const another = move.map((step): Move => ({ ...step, kind: onward[step.n] ?? step.kind }));

function commandOf({ kind, back, n }: Move, tokens: readonly Token[], renewal: number): TaskCommand {
  const token = tokens.at(-1 - back) ?? { term: 9, index: 999 };
  switch (kind) {
    case "task-submit":
      return { type: kind, principal: "ada", key: "1", spec: n === 0 ? { ...spec, goal: "other" } : spec };
    case "task-claim":
      return { type: kind, task: id, capabilities: [], ttlMs: 5000, session: "s" };
    case "task-progress":
      return { type: kind, task: id, token, step: { phase: "p", message: "m" } };
    case "task-complete":
      return { type: kind, task: id, token, result: result(n, n === 3 ? "failed" : "succeeded") };
    case "task-fail":
      return { type: kind, task: id, token, reason: { code: "c", message: "m" } };
    case "task-cancel":
      return { type: kind, task: id, reason: "r" };
    case "task-expire":
      return { type: kind, task: id, token, renewal: renewal - (n === 0 ? 1 : 0), cause: "lapsed" };
    case "task-renew":
      return { type: kind, task: id, token };
  }
}

it("keeps its promises under any order of any commands by anybody", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      let task: TaskRecord | undefined;
      const tokens: Token[] = [];
      let term = 1;
      let commits = 0;
      for (const [i, step] of moves.entries()) {
        const index = i + 1;
        if (step.newTerm) term++;
        const from = peers[step.peer]!;
        const command = commandOf(step, tokens, task?.lease?.renewal ?? 0);
        const before = task;
        const holder = before?.lease;
        const reduced = reduceTask(before, command, { index, term, from, ts: 1000 + i });
        task = reduced.task;
        const { events, result: answer } = reduced;

        // A refused command changes nothing and says nothing.
        if (answer.status === "refused") expect([task, events]).toEqual([before, []]);
        // Nothing happens to a task that has ended.
        if (before !== undefined && isTerminal(before.state)) expect(task).toBe(before);
        // The state goes only where the table says.
        if (task !== undefined && task !== before && (events.length > 0 || task.state !== before?.state))
          expect(transitions[before?.state ?? "submitted"][command.type]).toContain(task.state);
        // Events have no gap and are never rewritten.
        const seqs = task?.events.map(({ seq }) => seq) ?? [];
        expect(seqs).toEqual(seqs.map((_, at) => at + 1));
        expect(task?.events.slice(0, before?.events.length ?? 0) ?? []).toEqual(before?.events ?? []);
        // Only the holder, under the current token, says how the run went.
        if (answer.status === "applied" && task !== before && "token" in command) {
          expect(command.token).toEqual(holder?.token);
          if (command.type !== "task-expire") expect(from).toBe(holder?.holder);
        }
        // Only a claim makes a token; tokens rise.
        if (task?.lease !== undefined && task.lease.token !== holder?.token) {
          const { token } = task.lease;
          const last = tokens.at(-1);
          if (last !== undefined) expect(token.index > last.index && token.term >= last.term).toBe(true);
          tokens.push(token);
        }
        commits += events.filter(({ type }) => type === "task-completed" || type === "task-failed").length;
        expect(commits).toBeLessThanOrEqual(1);
        expect(task?.attempt ?? 0).toBeLessThanOrEqual(spec.attempts);
        expect(task?.attempt ?? 0).toBe(tokens.length);
        expect(task?.lease !== undefined).toBe(task?.state === "leased" || task?.state === "working");
      }
    }),
    { numRuns: process.env["SLOW"] === "1" ? 20_000 : 1000 },
  );
});

it("reaches every state of the table by some order of commands", () => {
  const reached = new Set<TaskState>(["submitted"]);
  const taken = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.oneof(move, another), { minLength: 40, maxLength: 60 }), (moves) => {
      let task: TaskRecord | undefined;
      const tokens: Token[] = [];
      for (const [i, step] of moves.entries()) {
        const command = commandOf(
          { ...step, back: 0, peer: 0, n: step.n || 1 },
          tokens,
          task?.lease?.renewal ?? 0,
        );
        const before = task?.state ?? "submitted";
        const reduced = reduceTask(task, command, { index: i + 1, term: 1, from: peers[0]!, ts: 1 });
        task = reduced.task;
        if (task?.lease && task.lease.token !== tokens.at(-1)) tokens.push(task.lease.token);
        if (reduced.result.status === "applied" && task) {
          reached.add(task.state);
          taken.add(`${before} ${command.type} ${task.state}`);
        }
      }
    }),
    { numRuns: 2000, seed: 7 },
  );
  expect([...reached].toSorted()).toEqual(Object.keys(transitions).toSorted());
  expect(tableRows().filter((row) => !taken.has(row))).toEqual([]);
});

it("is the diagram in DESIGN.md", () => {
  const text = readFileSync(new URL("../DESIGN.md", import.meta.url), "utf8");
  const diagram = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const drawn = diagram.split("\n").flatMap((line) => {
    const [, from, to, names] = /^\s*([\w-]+) --> ([\w-]+): (.+)$/.exec(line) ?? [];
    return from === undefined ? [] : (names ?? "").split(", ").map((name) => `${from} task-${name} ${to}`);
  });
  expect(drawn.toSorted()).toEqual(tableRows().toSorted());
});

function tableRows(): string[] {
  return Object.entries(transitions).flatMap(([from, commands]) =>
    Object.entries(commands).flatMap(([type, targets]) => targets.map((to) => `${from} ${type} ${to}`)),
  );
}

it("takes progress only so often in one attempt", () => {
  const context = { term: 1, from: peers[0]!, ts: 1 };
  let { task } = reduceTask(
    undefined,
    { type: "task-submit", principal: "ada", key: "1", spec },
    { ...context, index: 1 },
  );
  task = reduceTask(task, commandOf({ kind: "task-claim", peer: 0, back: 0, n: 1, newTerm: false }, [], 0), {
    ...context,
    index: 2,
  }).task;
  const step = {
    type: "task-progress",
    task: id,
    token: { term: 1, index: 2 },
    step: { phase: "p", message: "m" },
  } as const;
  let refused = 0;
  for (let i = 0; i < MAX_PROGRESS + 5; i++) {
    const reduced = reduceTask(task, step, { ...context, index: 3 + i });
    task = reduced.task;
    if (reduced.result.status === "refused") refused++;
  }
  expect(refused).toBe(5);
});

it("refuses to expire a lease that was renewed after what the proposer saw", () => {
  const context = { term: 1, from: peers[0]!, ts: 1 };
  let { task } = reduceTask(
    undefined,
    { type: "task-submit", principal: "ada", key: "1", spec },
    { ...context, index: 1 },
  );
  task = reduceTask(
    task,
    { type: "task-claim", task: id, capabilities: [], ttlMs: 5000, session: "s" },
    { ...context, index: 2 },
  ).task;
  const token = { term: 1, index: 2 };
  task = reduceTask(task, { type: "task-renew", task: id, token }, { ...context, index: 3 }).task;
  const expire = { type: "task-expire", task: id, token, cause: "lapsed" } as const;
  const late = reduceTask(task, { ...expire, renewal: 2 }, { ...context, from: peers[1]!, index: 4 });
  expect(late.result).toMatchObject({ status: "refused", refusal: "renewed" });
  const right = reduceTask(task, { ...expire, renewal: 3 }, { ...context, from: peers[1]!, index: 5 });
  expect(right.result).toMatchObject({ status: "applied", state: "ready" });
});

it("makes the same state of the same entries, and skips what is not for it", async () => {
  const signer = await createSigner(new Uint8Array(32).fill(1));
  const submit = { type: "task-submit", principal: "ada", key: "1", spec } as const;
  const seal = (command: TaskCommand, cluster = "test") => sealCommand(command, { cluster, signer, now: 5 });
  const commands = [
    await seal(submit),
    Uint8Array.of(1, 2, 3),
    await seal({ ...submit, key: "2" }, "another mesh"),
    await seal({ type: "task-claim", task: id, capabilities: [], ttlMs: 5000, session: "s" }),
    await seal({ type: "task-cancel", task: taskIdOf("ada", "never"), reason: "" }),
  ];
  const machine = taskMachine({ cluster: "test" });
  const run = () => {
    let state = machine.initial();
    const results = commands.map((command, i) => {
      const applied = machine.apply(state, { index: i + 1, term: 1, command });
      state = applied.state;
      return applied.result;
    });
    return { state, results };
  };
  expect(run()).toEqual(run());
  expect(
    run().results.map((answer) => (answer.status === "applied" ? answer.state : answer.refusal)),
  ).toEqual(["ready", "malformed", "malformed", "leased", "unknown-task"]);
  expect(run().state.order).toEqual([id]);
});

it("reads back every command as it was sealed", async () => {
  const signer = await createSigner(new Uint8Array(32).fill(1));
  const token = { term: 1, index: 2 };
  for (const kind of [
    "task-submit",
    "task-claim",
    "task-renew",
    "task-progress",
    "task-complete",
    "task-fail",
    "task-cancel",
    "task-expire",
  ] as const) {
    const command = commandOf({ kind, peer: 0, back: 0, n: 1, newTerm: false }, [token], 7);
    const bytes = await sealCommand(command, { cluster: "test", signer, now: 5 });
    expect(decodeCommand(bytes, "test")).toEqual({ command, from: signer.peer, ts: 5 });
    expect(subjectOf(command)).toBe(id);
  }
});
