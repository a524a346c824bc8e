import { readFileSync } from "node:fs";
import { type Cid, cidFromDigest, createSigner, type PeerId } from "@chorus/kernel";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { decodeCommand, sealCommand, type TaskCommand } from "../src/command.ts";
import type { TaskRecord } from "../src/contract-ports.ts";
import type { TaskResult, Token } from "../src/contract-task.ts";
import type { Reduced } from "../src/core/reduced.ts";
import { MAX_PROGRESS, reduceTask, subjectOf } from "../src/core/reduce-task.ts";
import { effectKeyOf } from "../src/effects/effect-key.ts";
import { taskIdOf } from "../src/task-id.ts";
import { taskMachine } from "../src/core/task-machine.ts";
import { parseTask } from "../src/task-spec.ts";
import { isTerminal, transitions } from "../src/core/transitions.ts";

const peers: PeerId[] = [];
beforeAll(async () => {
  for (const seed of [1, 2, 3]) peers.push((await createSigner(new Uint8Array(32).fill(seed))).peer);
});

const id = taskIdOf("ada", "1");
const DEADLINE = 1020;
const spec = parseTask({
  goal: "g",
  attempts: 3,
  deadline: DEADLINE,
  effects: [
    { slot: "tell", kind: "http", target: "https://a.example/*", payload: "out/*", times: 2 },
    { slot: "push", kind: "git-push", target: "origin", payload: "changes.bundle", approval: "human" },
  ],
});
const capabilities = ["effect:http", "effect:git-push"];
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

const kinds = [
  "task-submit",
  "task-claim",
  "task-renew",
  "task-progress",
  "task-complete",
  "task-fail",
  "task-cancel",
  "task-expire",
  "task-ask",
  "task-pause",
  "task-resume",
  "task-steer",
  "task-takeover",
  "task-hand-back",
  "task-overdue",
  "task-evidence",
  "effect-intent",
  "effect-receipt",
  "effect-uncertain",
  "effect-void",
  "effect-decide",
] as const satisfies readonly TaskCommand["type"][];

const move = fc.record<Move>({
  kind: fc.constantFrom(...kinds),
  peer: fc.nat(2),
  back: fc.nat(2),
  n: fc.nat(3),
  newTerm: fc.boolean(),
});

/** Moves that bring a task to another attempt, so that its last one is reached often enough. */
const onward: readonly Move["kind"][] = ["task-claim", "task-progress", "task-fail", "task-expire"];
const another = move.map((step): Move => ({ ...step, kind: onward[step.n] ?? step.kind }));
/** Moves around effects, which otherwise would seldom meet the right lease. */
const outward: readonly Move["kind"][] = [
  "task-claim",
  "effect-intent",
  "effect-receipt",
  "effect-decide",
  "effect-uncertain",
];
const acting = fc
  .tuple(move, fc.nat(4))
  .map(([step, which]): Move => ({ ...step, kind: outward[which] ?? step.kind, back: 0, peer: 0 }));
/** Ends early only now and then, so that much happens before. */
const any = fc.oneof(
  move.map((step): Move => {
    const ends = ["task-cancel", "task-overdue", "task-complete"].includes(step.kind);
    return ends && step.n > 0 ? { ...step, kind: "task-renew" } : step;
  }),
  another,
  acting,
);

type Make = (step: Move, token: Token, renewal: number) => TaskCommand;
const make: Readonly<Record<Move["kind"], Make>> = {
  "task-submit": ({ n }) => ({
    type: "task-submit",
    principal: "ada",
    key: "1",
    spec: n === 0 ? { ...spec, goal: "other" } : spec,
  }),
  "task-claim": () => ({ type: "task-claim", task: id, capabilities, ttlMs: 5000, session: "s" }),
  "task-renew": (_, token) => ({ type: "task-renew", task: id, token }),
  "task-progress": ({ n }, token) => ({
    type: "task-progress",
    task: id,
    token,
    step: { phase: n === 2 ? "verifying" : "p", message: "m" },
  }),
  "task-complete": ({ n }, token) => ({
    type: "task-complete",
    task: id,
    token,
    result: result(n, n === 3 ? "failed" : "succeeded"),
  }),
  "task-fail": (_, token) => ({ type: "task-fail", task: id, token, reason: { code: "c", message: "m" } }),
  "task-cancel": () => ({ type: "task-cancel", task: id, reason: "r" }),
  "task-expire": ({ n }, token, renewal) => ({
    type: "task-expire",
    task: id,
    token,
    renewal: renewal - (n === 0 ? 1 : 0),
    cause: "lapsed",
  }),
  "task-ask": ({ n }, token) => ({
    type: "task-ask",
    task: id,
    token,
    for: n === 1 ? "auth" : "input",
    question: "q",
  }),
  "task-pause": () => ({ type: "task-pause", task: id, reason: "r" }),
  "task-resume": () => ({ type: "task-resume", task: id }),
  "task-steer": ({ n, back }) => ({ type: "task-steer", task: id, id: `${n}${back}`, text: "t" }),
  "task-takeover": () => ({ type: "task-takeover", task: id, reason: "r", ttlMs: 5000, session: "s" }),
  "task-hand-back": (_, token) => ({ type: "task-hand-back", task: id, token, reason: "r" }),
  "task-overdue": () => ({ type: "task-overdue", task: id }),
  "task-evidence": ({ n }, token) => ({
    type: "task-evidence",
    task: id,
    token,
    address: "ucxl://default/t/agent/a/@v1",
    cid: cid(n),
  }),
  "effect-intent": ({ n }, token) => ({
    type: "effect-intent",
    task: id,
    token,
    slot: n === 3 ? "push" : "tell",
    ordinal: n === 3 ? 0 : n,
    target: n === 3 ? "origin" : "https://a.example/b",
    digest: `${n}`.repeat(64),
  }),
  "effect-receipt": ({ n }, token) => ({
    type: "effect-receipt",
    task: id,
    token,
    key: keyOf(n),
    receipt: { reference: "r" },
  }),
  "effect-uncertain": ({ n }, token) => ({
    type: "effect-uncertain",
    task: id,
    token,
    key: keyOf(n),
    reason: "r",
  }),
  "effect-void": ({ n }) => ({ type: "effect-void", task: id, key: keyOf(n), reason: "r" }),
  "effect-decide": ({ n, back }) => ({
    type: "effect-decide",
    task: id,
    key: keyOf(n),
    decision: (["repeat", "done", "abandon"] as const)[back] ?? "repeat",
    reason: "r",
  }),
};
const keyOf = (n: number) => (n === 3 ? effectKeyOf(id, "push", 0) : effectKeyOf(id, "tell", n % 2));

const commandOf = (step: Move, tokens: readonly Token[], renewal: number): TaskCommand =>
  make[step.kind](step, tokens.at(-1 - step.back) ?? { term: 9, index: 999 }, renewal);

/** One command and what it did to the task. */
interface Step {
  readonly before: TaskRecord | undefined;
  readonly command: TaskCommand;
  readonly from: PeerId;
  readonly reduced: Reduced;
}

function play(moves: readonly Move[]): Step[] {
  const steps: Step[] = [];
  const tokens: Token[] = [];
  let task: TaskRecord | undefined;
  let term = 1;
  for (const [i, step] of moves.entries()) {
    if (step.newTerm) term++;
    const from = peers[step.peer]!;
    const command = commandOf(step, tokens, task?.lease?.renewal ?? 0);
    const reduced = reduceTask(task, command, { index: i + 1, term, from, ts: 1000 + i });
    steps.push({ before: task, command, from, reduced });
    task = reduced.task;
    if (task?.lease !== undefined && task.lease.token !== tokens.at(-1)) tokens.push(task.lease.token);
  }
  return steps;
}

const runs = { numRuns: process.env["SLOW"] === "1" ? 20_000 : 500 };
/** Without a task nothing is possible, so nothing would be checked. */
const first: Move = { kind: "task-submit", peer: 0, back: 0, n: 1, newTerm: false };
const always = (name: string, check: (steps: readonly Step[]) => void): void =>
  it(`${name}, under any order of any commands by anybody`, () => {
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), (moves) => check(play([first, ...moves]))),
      runs,
    );
  });

const committed = ({ reduced }: Step): boolean =>
  reduced.events.some(({ type }) => type === "task-completed" || type === "task-failed");
const changed = ({ before, reduced }: Step): boolean => reduced.task !== before;

always("commits a task at most once", (steps) => {
  expect(steps.filter(committed).length).toBeLessThanOrEqual(1);
});

always("gives each claim a greater token", (steps) => {
  const tokens = steps.flatMap(({ reduced }) =>
    reduced.events.flatMap((event) => (event.type === "task-claimed" ? [event.token] : [])),
  );
  for (const [i, token] of tokens.slice(1).entries()) {
    expect(token.index).toBeGreaterThan(tokens[i]!.index);
    expect(token.term).toBeGreaterThanOrEqual(tokens[i]!.term);
  }
});

always("numbers events without a gap and rewrites none", (steps) => {
  for (const { before, reduced } of steps) {
    const events = reduced.task?.events ?? [];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.slice(0, before?.events.length ?? 0)).toEqual(before?.events ?? []);
  }
});

const isFact = ({ type }: TaskCommand): boolean => type === "task-evidence" || type.startsWith("effect-");

always("lets only the holder, under the current token, say how a run goes", (steps) => {
  for (const step of steps.filter(changed)) {
    if (!("token" in step.command) || isFact(step.command)) continue;
    expect(step.command.token).toEqual(step.before?.lease?.token);
    if (step.command.type !== "task-expire") expect(step.from).toBe(step.before?.lease?.holder);
  }
});

always("takes as evidence only what its sender made under a lease that it lost", (steps) => {
  for (const { before, command, from } of steps.filter(changed)) {
    if (command.type !== "task-evidence") continue;
    expect(command.token).not.toEqual(before?.lease?.token);
    expect(command.token).not.toEqual(before?.finishedBy);
    const claims =
      before?.events.filter(({ type }) => type === "task-claimed" || type === "task-taken-over") ?? [];
    expect(claims).toContainEqual(expect.objectContaining({ by: from, token: command.token }));
  }
});

always("expires no lease that was renewed after what the proposer saw", (steps) => {
  for (const step of steps.filter(changed))
    if (step.command.type === "task-expire") expect(step.command.renewal).toBe(step.before?.lease?.renewal);
});

always("changes nothing and says nothing when it refuses, or when the task has ended", (steps) => {
  for (const { before, command, reduced } of steps) {
    const ended = before !== undefined && isTerminal(before.state);
    if (reduced.result.status === "applied" && (!ended || isFact(command))) continue;
    expect(reduced.task).toBe(before);
    expect(reduced.events).toEqual([]);
  }
});

always("stays ended, whatever becomes known later", (steps) => {
  for (const { before, reduced } of steps)
    if (before !== undefined && isTerminal(before.state)) expect(reduced.task?.state).toBe(before.state);
});

always("expires a task only on the word of a clock that has passed its deadline", (steps) => {
  for (const { reduced } of steps)
    for (const event of reduced.events)
      if (event.type === "task-expired") expect(event.at).toBeGreaterThanOrEqual(DEADLINE);
});

always("goes only where the table says", (steps) => {
  for (const { before, command, reduced } of steps.filter(changed))
    expect(transitions[before?.state ?? "submitted"][command.type]).toContain(reduced.task?.state);
});

always("gives up after the attempts it allows, and counts none that a person gave back", (steps) => {
  for (const { reduced } of steps) {
    const { failures = 0, state } = reduced.task ?? {};
    expect(failures).toBeLessThanOrEqual(spec.attempts);
    if (state === "ready") expect(failures).toBeLessThan(spec.attempts);
  }
  const releases = steps
    .flatMap(({ reduced }) => reduced.events)
    .filter(({ type }) => type === "task-released");
  expect(releases.length).toBeLessThan(
    spec.attempts + steps.filter(({ before }) => before?.lease?.manual).length,
  );
});

always("has a lease exactly while it is worked on, and none after its end", (steps) => {
  for (const { reduced } of steps) {
    const { lease, state = "submitted" } = reduced.task ?? {};
    if (["leased", "working", "verifying"].includes(state)) expect(lease).toBeDefined();
    else if (!["paused", "input-required"].includes(state)) expect(lease).toBeUndefined();
  }
});

/** Steps that only other tasks bring about; dependencies.test.ts takes them. */
const ofOthers = new Set([
  "submitted task-submit blocked",
  "submitted task-submit rejected",
  "blocked join-settled ready",
  "blocked join-settled rejected",
  "paused task-resume blocked",
  "paused task-resume rejected",
]);
const alone = (row: string): boolean =>
  !row.startsWith("blocked ") && !row.startsWith("rejected ") && !ofOthers.has(row);

it("can take every step of the table", () => {
  const taken = new Set<string>();
  for (const { before, command, reduced } of everyWay().filter(changed))
    taken.add(`${before?.state ?? "submitted"} ${command.type} ${reduced.task?.state}`);
  expect(
    tableRows()
      .filter(alone)
      .filter((row) => !taken.has(row)),
  ).toEqual([]);
}, 120_000);

/** Every command in every kind of situation that commands can bring about, found breadth first. */
function everyWay(): Step[] {
  const steps: Step[] = [];
  const situations: { task: TaskRecord | undefined; tokens: readonly Token[]; index: number }[] = [
    { task: undefined, tokens: [], index: 0 },
  ];
  const seen = new Set<string>();
  for (const { task, tokens, index } of situations)
    for (const step of everyMove) {
      const from = peers[0]!;
      const command = commandOf(step, tokens, task?.lease?.renewal ?? 0);
      const context = { index: index + 1, term: 1, from, ts: DEADLINE };
      const reduced = reduceTask(task, command, context);
      steps.push({ before: task, command, from, reduced });
      const next = reduced.task;
      if (next === undefined || next === task || seen.has(kindOf(next))) continue;
      seen.add(kindOf(next));
      situations.push({ task: next, tokens: withToken(tokens, next.lease?.token), index: index + 1 });
    }
  return steps;
}

function withToken(tokens: readonly Token[], held: Token | undefined): readonly Token[] {
  return held === undefined || tokens.includes(held) ? tokens : [...tokens, held];
}

const everyMove: readonly Move[] = kinds.flatMap((kind) =>
  [0, 1, 2, 3].flatMap((n) =>
    (kind === "effect-decide" || kind === "task-evidence" ? [0, 1, 2] : [0]).map((back) => ({
      kind,
      n,
      back,
      peer: 0,
      newTerm: true,
    })),
  ),
);

/** Situations that differ in nothing else lead to the same steps. */
function kindOf({ state, lease, pausedFrom, failures, effects = [], superseded }: TaskRecord): string {
  const ways = [...new Set(effects.map((effect) => effect.state))].toSorted().join(" ");
  const held = lease === undefined ? "free" : lease.manual === true ? "manual" : "held";
  return [state, held, pausedFrom, Math.max(failures, 1), ways, superseded !== undefined].join("/");
}

it("is the diagram in DESIGN.md", () => {
  const text = readFileSync(new URL("../DESIGN.md", import.meta.url), "utf8");
  const diagram = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const drawn = diagram.split("\n").flatMap((line) => {
    const [, from, to, names] = /^\s*([\w-]+) --> ([\w-]+): (.+)$/.exec(line) ?? [];
    return from === undefined
      ? []
      : (names ?? "").split(", ").map((name) => `${from} ${causeOf(name)} ${to}`);
  });
  expect(drawn.toSorted()).toEqual(tableRows().toSorted());
});

/** The diagram leaves `task-` out. */
function causeOf(name: string): string {
  return name.startsWith("effect-") || name === "join-settled" ? name : `task-${name}`;
}

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
    { type: "task-claim", task: id, capabilities, ttlMs: 5000, session: "s" },
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

it("counts no attempt against a task that a person let go, however their peer went", () => {
  const context = { term: 1, from: peers[0]!, ts: 1 };
  const submit = { type: "task-submit", principal: "ada", key: "1", spec } as const;
  let { task } = reduceTask(undefined, submit, { ...context, index: 1 });
  for (let index = 2; index < 20; index += 2) {
    const takeover = { type: "task-takeover", task: id, reason: "r", ttlMs: 5000, session: "s" } as const;
    task = reduceTask(task, takeover, { ...context, index }).task;
    const token = { term: 1, index };
    const expire = { type: "task-expire", task: id, token, renewal: index, cause: "holder-gone" } as const;
    task = reduceTask(task, expire, { ...context, from: peers[1]!, index: index + 1 }).task;
  }
  expect(task).toMatchObject({ state: "ready", failures: 0, attempt: 9 });
});

it("keeps so much evidence and so many words of a task and no more", () => {
  const context = { term: 1, from: peers[0]!, ts: 1 };
  const long = parseTask({ goal: "g", attempts: 10 });
  const submit = { type: "task-submit", principal: "ada", key: "1", spec: long } as const;
  let { task } = reduceTask(undefined, submit, { ...context, index: 1 });
  const tokens: Token[] = [];
  for (let index = 2; tokens.length < 9; index += 2) {
    const claim = { type: "task-claim", task: id, capabilities, ttlMs: 5000, session: "s" } as const;
    task = reduceTask(task, claim, { ...context, index }).task;
    tokens.push({ term: 1, index });
    const expire = { task: id, token: { term: 1, index }, renewal: index, cause: "lapsed" } as const;
    task = reduceTask(task, { type: "task-expire", ...expire }, { ...context, index: index + 1 }).task;
  }
  const refusals: unknown[] = [];
  for (const [n, token] of tokens.entries()) {
    const evidence = { task: id, token, address: "ucxl://default/t/agent/a/@v1", cid: cid(n) };
    const reduced = reduceTask(task, { type: "task-evidence", ...evidence }, { ...context, index: 100 + n });
    ({ task } = reduced);
    if (reduced.result.status === "refused") refusals.push(reduced.result.refusal);
  }
  for (let n = 0; n < 17; n++) {
    const steer = { type: "task-steer", task: id, id: `${n}`, text: "t" } as const;
    const reduced = reduceTask(task, steer, { ...context, index: 200 + n });
    ({ task } = reduced);
    if (reduced.result.status === "refused") refusals.push(reduced.result.refusal);
  }
  expect([task?.superseded?.length, task?.steering?.length]).toEqual([8, 16]);
  expect(refusals).toEqual(["too-many", "too-many"]);
});

it("makes the same state of the same entries, and skips what is not for it", async () => {
  const signer = await createSigner(new Uint8Array(32).fill(1));
  const submit = { type: "task-submit", principal: "ada", key: "1", spec } as const;
  const seal = (command: TaskCommand, cluster = "test") => sealCommand(command, { cluster, signer, now: 5 });
  const commands = [
    await seal(submit),
    Uint8Array.of(1, 2, 3),
    await seal({ ...submit, key: "2" }, "another mesh"),
    await seal({ type: "task-claim", task: id, capabilities, ttlMs: 5000, session: "s" }),
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
  for (const kind of kinds) {
    const command = commandOf({ kind, peer: 0, back: 0, n: 1, newTerm: false }, [token], 7);
    const bytes = await sealCommand(command, { cluster: "test", signer, now: 5 });
    expect(decodeCommand(bytes, "test")).toEqual({ command, from: signer.peer, ts: 5 });
    expect(subjectOf(command)).toBe(id);
  }
});
