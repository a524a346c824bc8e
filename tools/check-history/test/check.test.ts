import { describe, expect, it } from "vitest";
import { CHECKS, judge } from "../check.ts";
import { parseHistory } from "../parse.ts";
import type { EventFact, HistoryRecord } from "../record.ts";

const PEERS = ["0", "1", "2"] as const;
const TASK = "taskaaaabbbb";
const token = (index: number) => ({ term: 1, index });

/** One attempt that failed, one that completed. */
const LIFE: readonly EventFact[] = [
  { taskId: TASK, seq: 1, type: "task-submitted" },
  { taskId: TASK, seq: 2, type: "task-claimed", attempt: 1, token: token(5) },
  { taskId: TASK, seq: 3, type: "task-progressed", attempt: 1 },
  { taskId: TASK, seq: 4, type: "task-released", attempt: 1 },
  { taskId: TASK, seq: 5, type: "task-claimed", attempt: 2, token: token(9) },
  { taskId: TASK, seq: 6, type: "task-completed", attempt: 2 },
  { taskId: TASK, seq: 7, type: "task-superseded", superseded: { token: token(5), address: "ucxl://lost" } },
];
const EFFECT = { target: "git", subject: "refs/heads/one" };

const seen = (peer: string, events: readonly EventFact[], life = 1): HistoryRecord[] =>
  events.map((event, index) => ({ kind: "event", at: 100 + index, peer, life, event }));
const frames = (peer: string, from: number, to: number, change = ""): HistoryRecord[] =>
  LIFE.slice(from - 1, to).map(({ seq }) => ({
    kind: "frame",
    at: 0,
    watch: "w",
    peer,
    task: TASK,
    seq,
    text: `id: ${seq}${change}`,
  }));

interface Parts {
  readonly ask: readonly HistoryRecord[];
  readonly lives: readonly HistoryRecord[];
  readonly events: readonly HistoryRecord[];
  readonly completions: readonly HistoryRecord[];
  readonly world: readonly HistoryRecord[];
  readonly watched: readonly HistoryRecord[];
  readonly runner: readonly HistoryRecord[];
}

/** A history in which everything that can go well does; cases replace a part of it. */
const GOOD: Parts = {
  ask: [
    { kind: "call", at: 1, call: "c1", peer: "0", key: "k", effects: [EFFECT], expects: "completed" },
    { kind: "answer", at: 2, call: "c1", status: "pending", task: TASK },
    { kind: "call", at: 3, call: "c2", peer: "1", key: "k", effects: [EFFECT], expects: "completed" },
    { kind: "answer", at: 4, call: "c2", status: "committed", task: TASK },
    // Nobody knows what became of it.
    { kind: "call", at: 5, call: "c3", peer: "2", key: "other" },
  ],
  lives: PEERS.map((peer) => ({ kind: "life", at: 0, peer, life: 1 })),
  events: PEERS.flatMap((peer) => seen(peer, LIFE)),
  completions: [
    { kind: "completion", at: 150, peer: "2", task: TASK, token: token(9), answer: "committed" },
    {
      kind: "completion",
      at: 160,
      peer: "1",
      task: TASK,
      token: token(5),
      answer: "fenced",
      decision: "ucxl://lost",
    },
  ],
  world: [
    { kind: "effect", at: 140, ...EFFECT, key: "e1", action: "made" },
    { kind: "effect", at: 145, ...EFFECT, key: "e1", action: "repeated" },
  ],
  watched: [...frames("0", 1, 3), ...frames("1", 4, 7)],
  runner: [
    { kind: "zombie", peer: "1", task: TASK, token: token(5), stopped: 101, resumed: 155 },
    { kind: "end", at: 999, peers: PEERS },
  ],
};

const all = (change: Partial<Parts> = {}): HistoryRecord[] => Object.values({ ...GOOD, ...change }).flat();
const found = (change: Partial<Parts> = {}): readonly string[] => judge(all(change)).violations;
const lived = (events: readonly EventFact[]) =>
  found({ events: PEERS.flatMap((peer) => seen(peer, events)) });
/** The life with one event replaced, or left out. */
const changed = (seq: number, ...by: readonly EventFact[]) =>
  LIFE.flatMap((event) => (event.seq === seq ? by : [event])).map((event, index) => ({
    ...event,
    seq: index + 1,
  }));

describe("a history without fault", () => {
  it("is accepted", () => {
    expect(found()).toEqual([]);
  });

  it("may hold a second life that finds the events again", () => {
    const again: HistoryRecord[] = [{ kind: "life", at: 200, peer: "1", life: 2 }, ...seen("1", LIFE, 2)];
    expect(found({ lives: [...GOOD.lives, ...again] })).toEqual([]);
  });

  it("may tell more of the past after the end, and show members in any order", () => {
    const late = { taskId: TASK, seq: 8, type: "effect-voided" };
    const turned = LIFE.map(({ seq, type, taskId, ...more }) => ({ ...more, taskId, type, seq }));
    const events = [
      ...PEERS.slice(1).flatMap((peer) => seen(peer, [...LIFE, late])),
      ...seen("0", [...turned, late]),
    ];
    expect(found({ events })).toEqual([]);
  });
});

describe("acknowledgements", () => {
  it("finds one key that became two tasks", () => {
    const other: HistoryRecord = { kind: "answer", at: 4, call: "c2", status: "committed", task: "taskbbbb" };
    expect(found({ ask: GOOD.ask.map((record, index) => (index === 3 ? other : record)) })).toContain(
      "one key is one task: key k became 2 tasks: taskaaaa, taskbbbb",
    );
  });

  it("finds two keys that became one task", () => {
    const ask: HistoryRecord[] = [
      ...GOOD.ask,
      { kind: "answer", at: 6, call: "c3", status: "committed", task: TASK },
    ];
    expect(found({ ask })).toEqual(["one key is one task: task taskaaaa answers for 2 keys: k, other"]);
  });

  it("finds a task that nobody has heard of", () => {
    expect(found({ events: [], completions: [], runner: [{ kind: "end", at: 999, peers: ["0"] }] })).toEqual([
      "what is acknowledged ends: task taskaaaa (k) was acknowledged and is lost at peer 0",
    ]);
  });

  it("finds a task that has not ended", () => {
    expect(lived(LIFE.slice(0, 5))).toContain(
      "what is acknowledged ends: task taskaaaa (k) was acknowledged and has not ended at peer 2",
    );
  });

  it("finds a task that ended otherwise than it had to", () => {
    const failed = changed(6, { taskId: TASK, seq: 6, type: "task-dead-lettered", attempt: 2 });
    expect(lived(failed)).toContain(
      "what is acknowledged ends: task taskaaaa (k) ended as task-dead-lettered at peer 0, not as task-completed",
    );
  });

  it("does not judge without an end", () => {
    expect(found({ runner: [] })).toEqual([
      "what is acknowledged ends: the history has no end: nobody can be held to have seen what was acknowledged",
    ]);
  });
});

describe("events", () => {
  const at = (peer: string, events: readonly EventFact[]) =>
    found({ events: PEERS.flatMap((other) => seen(other, other === peer ? events : LIFE)) });

  it("finds a gap and a repetition", () => {
    expect(at("1", LIFE.toSpliced(2, 1))).toContain(
      "events have no gap: task taskaaaa at peer 1 (life 1): event 4 where 3 was due",
    );
    expect(at("1", [...LIFE.slice(0, 3), ...LIFE.slice(2)])).toContain(
      "events have no gap: task taskaaaa at peer 1 (life 1): event 3 where 4 was due",
    );
  });

  it("finds an event that differs in one member", () => {
    expect(
      at(
        "2",
        LIFE.map((event) => (event.seq === 3 ? { ...event, message: "else" } : event)),
      ),
    ).toEqual(["events are the same everywhere: task taskaaaa: event 3 differs at peers 0 and 2"]);
  });

  it("finds a peer that has not seen all of it", () => {
    expect(at("2", LIFE.slice(0, 5))).toContain(
      "everybody has all events: task taskaaaa: peer 2 has 5 of 7 events at the end",
    );
  });

  it("does not ask a peer for what came after the end", () => {
    const late = seen("0", [...LIFE, { taskId: TASK, seq: 8, type: "effect-voided" }]).map((record, index) =>
      record.kind === "event" && index === LIFE.length ? { ...record, at: 1000 } : record,
    );
    expect(found({ events: [...late, ...["1", "2"].flatMap((peer) => seen(peer, LIFE))] })).toEqual([]);
  });

  it("finds two winners of one claim", () => {
    expect(lived(changed(4))).toContain(
      "one holder, one end: task taskaaaa: two winners: event 4 claims what event 2 holds",
    );
  });

  it("finds a second end, and work after the end", () => {
    const end = { taskId: TASK, seq: 8, type: "task-completed", attempt: 2 };
    expect(lived([...LIFE, end])).toEqual([
      "one holder, one end: task taskaaaa: ended twice: task-completed as event 6, task-completed as 8",
    ]);
    expect(lived([...LIFE, { ...end, type: "task-claimed", attempt: 3 }])).toContain(
      "one holder, one end: task taskaaaa: task-claimed as event 8, after the end",
    );
  });

  it("finds work without a lease, or in another attempt's name", () => {
    expect(lived(changed(5))).toContain(
      "one holder, one end: task taskaaaa: task-completed as event 5, without a lease",
    );
    expect(lived(changed(6, { taskId: TASK, seq: 6, type: "task-completed", attempt: 1 }))).toContain(
      "one holder, one end: task taskaaaa: task-completed of attempt 1 as event 6, in attempt 2",
    );
  });

  it("lets a person take a task over from its holder", () => {
    const taken = changed(4, { taskId: TASK, seq: 4, type: "task-taken-over", attempt: 2, token: token(7) });
    const again = taken.map((event) => ({
      ...event,
      ...(event.seq > 4 && event.attempt === 2 ? { attempt: 3 } : {}),
    }));
    expect(
      lived(
        again
          .toSpliced(4, 0, { taskId: TASK, seq: 5, type: "task-released", attempt: 2 })
          .map((event, i) => ({ ...event, seq: i + 1 })),
      ),
    ).toEqual([]);
  });

  it("finds a second admission, and attempts that are not counted one by one", () => {
    expect(lived(changed(3, { taskId: TASK, seq: 3, type: "task-submitted" }))).toContain(
      "one holder, one end: task taskaaaa: event 3 is task-submitted",
    );
    const skipped = changed(5, { taskId: TASK, seq: 5, type: "task-claimed", attempt: 3, token: token(9) });
    expect(lived(skipped)).toContain("one holder, one end: task taskaaaa: attempt 3 as event 5, 2 was due");
  });
});

describe("tokens", () => {
  it("finds a token that does not rise", () => {
    const low = changed(5, { taskId: TASK, seq: 5, type: "task-claimed", attempt: 2, token: token(5) });
    expect(lived(low)).toContain("tokens rise: task taskaaaa: token 1.5 of event 5 is not above 1.5");
  });

  it("finds a token that was given twice", () => {
    const other = LIFE.map((event) => ({ ...event, taskId: "taskbbbb" }));
    expect(found({ events: PEERS.flatMap((peer) => [...seen(peer, LIFE), ...seen(peer, other)]) })).toContain(
      "tokens rise: token 1.5 was given for taskaaaa and for taskbbbb",
    );
  });

  it("finds a commit under a token that was replaced", () => {
    const completions = GOOD.completions.map(
      (record): HistoryRecord => (record.kind === "completion" ? { ...record, answer: "committed" } : record),
    );
    expect(found({ completions })).toEqual([
      "one commit, under the last token: task taskaaaa was committed under 2 tokens: 1.9, 1.5",
      "one commit, under the last token: task taskaaaa: peer 1 committed under 1.5, the last claim is 1.9",
      "a zombie ends nothing: zombie 1 with task taskaaaa under 1.5 committed after it had been stopped",
    ]);
  });

  it("finds a zombie that showed nothing", () => {
    const runner: HistoryRecord[] = [
      { kind: "zombie", peer: "2", task: TASK, token: token(9), stopped: 170, resumed: 180 },
      { kind: "end", at: 999, peers: PEERS },
    ];
    expect(found({ runner })).toEqual([
      "a zombie ends nothing: zombie 2 with task taskaaaa under 1.9 was never replaced, so that nothing was shown",
    ]);
  });
});

describe("lost work", () => {
  const told = "lost work is kept: task taskaaaa: what peer 1 made under 1.5 is not kept";

  it("is found missing where a worker was fenced, unless it was killed after that", () => {
    expect(lived(LIFE.slice(0, 6))).toEqual([told]);
    const lives: HistoryRecord[] = [
      ...GOOD.lives,
      { kind: "life", at: 170, peer: "1", life: 2 },
      ...seen("1", LIFE, 2),
    ];
    expect(found({ lives, events: PEERS.flatMap((peer) => seen(peer, LIFE.slice(0, 6))) })).not.toContain(
      told,
    );
  });

  it("is found missing where a worker was cut off with its result", () => {
    const loser: HistoryRecord = { kind: "loser", at: 100, peer: "1", task: TASK, token: token(5) };
    const runner = [...GOOD.runner, loser];
    expect(found({ runner, completions: [] })).toEqual([]);
    const events = PEERS.flatMap((peer) => seen(peer, LIFE.slice(0, 6)));
    expect(found({ runner, completions: [], events })).toEqual([told]);
  });
});

describe("effects", () => {
  const world = (...effects: readonly { subject?: string; key?: string }[]): HistoryRecord[] =>
    effects.map((effect) => ({ kind: "effect", at: 1, key: "e1", action: "made", ...EFFECT, ...effect }));

  it("finds an effect that was made twice, under one key or two", () => {
    expect(found({ world: world({}, {}) })).toEqual(["one effect per key: git: key e1 was made 2 times"]);
    expect(found({ world: world({}, { key: "e2" }) })).toEqual([
      "one effect per key: git: refs/heads/one was made under 2 keys",
    ]);
  });

  it("finds an effect that a completed task has not had", () => {
    expect(found({ world: [] })).toEqual([
      "one effect per key: task taskaaaa is completed and git: refs/heads/one was never made",
    ]);
  });

  it("finds an effect that nobody asked for", () => {
    expect(found({ world: world({}, { subject: "refs/heads/two", key: "e2" }) })).toEqual([
      "one effect per key: git: refs/heads/two was made, and no task declares it",
    ]);
  });
});

describe("watches", () => {
  it("finds a gap, and a repetition, at the change of peers", () => {
    expect(found({ watched: [...frames("0", 1, 3), ...frames("1", 5, 7)] })).toEqual([
      "a watch goes on elsewhere: watch w: event 5 from peer 1 where 4 was due",
    ]);
    expect(found({ watched: [...frames("0", 1, 3), ...frames("1", 3, 7)] })).toEqual([
      "a watch goes on elsewhere: watch w: event 3 from peer 1 where 4 was due",
    ]);
  });

  it("finds bytes that differ", () => {
    const other = frames("2", 1, 6, " ").map((record) => ({ ...record, watch: "v" }));
    expect(found({ watched: [...GOOD.watched, ...other] })[0]).toBe(
      "a watch goes on elsewhere: watch v: event 1 of taskaaaa has other bytes at peer 2 than at 0",
    );
  });
});

describe("a minority", () => {
  const cut: HistoryRecord = { kind: "cut", from: 50, to: 60, minority: ["0"], majority: ["1", "2"] };
  const asked = (peer: string, status: "pending" | "committed", at = 51): HistoryRecord[] => [
    { kind: "call", at, call: "c9", peer, key: "new" },
    { kind: "answer", at: 55, call: "c9", status, task: "tasknew" },
  ];
  const life = LIFE.map((event) => ({
    ...event,
    taskId: "tasknew",
    ...(event.token === undefined ? {} : { token: token(event.token.index + 20) }),
  }));
  const events = [...GOOD.events, ...PEERS.flatMap((peer) => seen(peer, life))];
  const cutOff = (ask: readonly HistoryRecord[], more: readonly HistoryRecord[] = events) =>
    found({ ask: [...GOOD.ask, ...ask], events: more, runner: [...GOOD.runner, cut] });

  it("may say pending, and the majority committed", () => {
    expect(cutOff(asked("0", "pending"))).toEqual([]);
    expect(cutOff(asked("1", "committed"))).toEqual([]);
  });

  it("is found saying committed", () => {
    expect(cutOff(asked("0", "committed"))).toEqual([
      "a minority commits nothing: peer 0 said committed to new while it was cut off with the minority",
    ]);
    expect(cutOff(asked("0", "committed", 49))).toEqual([]);
  });

  it("is found applying what came in after the cut", () => {
    const early = seen("0", life).map((record) => (record.kind === "event" ? { ...record, at: 58 } : record));
    expect(
      cutOff(asked("1", "committed"), [
        ...GOOD.events,
        ...["1", "2"].flatMap((peer) => seen(peer, life)),
        ...early,
      ])[0],
    ).toBe(
      "a minority commits nothing: peer 0 of the minority applied task-submitted of a task that came in during the cut",
    );
  });
});

it("has a case above for every promise", () => {
  expect(Object.keys(CHECKS)).toHaveLength(13);
});

describe("a file of a history", () => {
  it("is read line by line, and a line cut short at the end is left out", () => {
    const text = all().map((record) => `${JSON.stringify(record)}\n`);
    expect(parseHistory(`${text.join("")}{"kind":"end","at"`, "h")).toEqual(all());
  });

  it("may hold kinds of others", () => {
    expect(parseHistory('{"kind":"late","from":1}\n', "h")).toEqual([]);
  });

  it.each([
    ["nonsense\n", "h:1: not JSON"],
    ["[]\n", "h:1: not an object"],
    ["{}\n", "h:1: kind is missing"],
    ['{"kind":"life","at":1,"peer":"0"}\n', "h:1: life must be a number"],
    [
      '\n{"kind":"answer","at":1,"call":"c","status":"done"}\n',
      "h:2: status must be one of committed, pending, refused",
    ],
    [
      '{"kind":"event","at":1,"peer":"0","life":1,"event":{"seq":1}}\n',
      "h:1: event must be an event with taskId, seq and type",
    ],
    [
      '{"kind":"call","at":1,"call":"c","peer":"0","key":"k","effects":[{}]}\n',
      "h:1: effects must be a list of {target, subject}",
    ],
  ])("is refused where it is malformed: %j", (text, message) => {
    expect(() => parseHistory(text, "h")).toThrow(message);
  });
});
