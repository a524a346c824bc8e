import { expect, it } from "vitest";
import { type Fault, type Host, sim, type World } from "../src/index.ts";

/** Everything that a node saw. Survives its processes: it is the test's. */
interface Seen {
  boots: number[];
  ticks: { real: number; now: number; awake: number }[];
  got: { real: number; from: number; number: number }[];
  links: string[];
  refused: number;
  read: (string | undefined)[];
}

interface Counter {
  message(from: number, number: number): void;
  connection(peer: number, open: boolean): void;
  boost(): void;
}

/** Nodes count to each other every 100 ms, and append a byte to a file that they sync every second. */
function watch(faults: readonly Fault[], options: { nodes?: number; durationMs?: number } = {}) {
  const { nodes = 2, durationMs = 10_000 } = options;
  const seen = Array.from(
    { length: nodes },
    (): Seen => ({ boots: [], ticks: [], got: [], links: [], refused: 0, read: [] }),
  );
  let world: World<Counter> | undefined;
  const real = (): number => world?.now ?? 0;
  const system = {
    boot({ self, now, awake, send, after, disk }: Host<number>): Counter {
      const mine = seen[self]!;
      const text = disk.read("count");
      mine.boots.push(real());
      mine.read.push(text === undefined ? undefined : new TextDecoder().decode(text));
      let number = 0;
      const tick = (): void => {
        number++;
        mine.ticks.push({ real: real(), now: now(), awake: awake() });
        for (let to = 0; to < nodes; to++) if (to !== self) send(to, number);
        try {
          disk.append("count", new TextEncoder().encode(String(number % 10)));
        } catch {
          mine.refused++;
        }
        if (number % 10 === 0) disk.sync();
        after(100, tick);
      };
      after(100, tick);
      return {
        message: (from, got) => mine.got.push({ real: real(), from, number: got }),
        connection: (peer, open) => mine.links.push(`${peer} ${open ? "open" : "closed"}`),
        boost: () => send(1 - self, 1000),
      };
    },
    invariants: () => ({
      watch(now: World<Counter>) {
        world = now;
        return undefined;
      },
    }),
    actions: { boost: (running: Counter) => running.boost() },
    leader: () => 1,
  };
  const simulator = sim(system, { nodes, durationMs, healMs: 1000, delayMs: [1, 1] });
  const run = simulator.replay({ seed: 1, nodes, durationMs, faults });
  return { seen, run };
}

const calm = watch([]);
const [zero] = calm.seen;
const between = <T extends { real: number }>(all: readonly T[], from: number, to: number): readonly T[] =>
  all.filter(({ real }) => real >= from && real < to);

it("without faults every message arrives once, in order, and nothing stops", () => {
  expect(zero!.boots).toHaveLength(1);
  expect(zero!.ticks).toHaveLength(99);
  const numbers = zero!.got.map(({ number }) => number);
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  expect(zero!.links).toContain("1 open");
});

it("a killed process loses its memory and keeps its writes, and its peer hears of it", () => {
  const { seen } = watch([
    { kind: "crash", at: 2550, forMs: 1000, node: 0, unsynced: "kept", moment: "now" },
  ]);
  expect(seen[0]!.boots[1]).toBe(3550);
  expect(seen[0]!.read[1]).toHaveLength(25);
  expect(between(seen[0]!.ticks, 2550, 3650)).toEqual([]);
  expect(seen[1]!.links.slice(-2)).toEqual(["0 closed", "0 open"]);
});

it("a power cut loses what was not synced, starts another clock, and closes nothing", () => {
  const { seen } = watch([
    { kind: "crash", at: 2550, forMs: 1000, node: 0, unsynced: "lost", moment: "now" },
  ]);
  expect(seen[0]!.read[1]).toHaveLength(20);
  expect(seen[1]!.links).not.toContain("0 closed");
  const [before, after] = [seen[0]!.ticks[0]!, seen[0]!.ticks.at(-1)!];
  expect(Math.abs(after.now - before.now - (after.real - before.real))).toBeGreaterThan(1000);
});

it("a torn disk keeps some of what was not synced", () => {
  const lengths = Array.from({ length: 10 }, (_, i) => {
    const at = 2150 + i * 80;
    const { seen } = watch([{ kind: "crash", at, forMs: 10, node: 0, unsynced: "torn", moment: "now" }]);
    return { length: seen[0]!.read[1]!.length, unsynced: Math.floor((at - 2000) / 100) };
  });
  for (const { length, unsynced } of lengths) expect(length - 20).toBeLessThanOrEqual(unsynced);
  expect(lengths.some(({ length, unsynced }) => length > 20 && length < 20 + unsynced)).toBe(true);
});

it("a crash in a sync strikes before it takes effect, and after what was sent before it", () => {
  const { seen } = watch([
    { kind: "crash", at: 2550, forMs: 2000, node: 0, unsynced: "lost", moment: "at-sync" },
  ]);
  expect(seen[0]!.ticks.filter(({ real }) => real < 4550)).toHaveLength(30);
  expect(seen[1]!.got.filter(({ real }) => real < 4550)).toHaveLength(30);
  expect(seen[0]!.read[1]).toHaveLength(20);
});

it("a pause holds messages and timers back while the clocks go on", () => {
  const { seen } = watch([{ kind: "pause", at: 2550, forMs: 1000, node: 0 }]);
  expect(between([...seen[0]!.ticks, ...seen[0]!.got], 2550, 3550)).toEqual([]);
  expect(between(seen[0]!.got, 3550, 3551)).toHaveLength(10);
  const after = seen[0]!.ticks.at(-1)!;
  expect(after.now - after.awake).toBe(0);
});

it("a suspended machine loses messages, and only its clock for that counts the time", () => {
  const { seen } = watch([{ kind: "suspend", at: 2550, forMs: 1000, node: 0 }]);
  expect(between([...seen[0]!.ticks, ...seen[0]!.got], 2550, 3550)).toEqual([]);
  expect(seen[0]!.got).toHaveLength(zero!.got.length - 10);
  // The timer had some 50 ms to go, and still has.
  expect(between(seen[0]!.ticks, 3550, 3590)).toEqual([]);
  expect(between(seen[0]!.ticks, 3590, 3610)).toHaveLength(1);
  const after = seen[0]!.ticks.at(-1)!;
  expect(after.now - after.awake).toBeCloseTo(1000, 3);
});

it("a full disk refuses writes and stops nothing else", () => {
  const { seen } = watch([{ kind: "full-disk", at: 2550, forMs: 1000, node: 0 }]);
  expect(seen[0]!.refused).toBe(10);
  expect(seen[0]!.ticks).toHaveLength(zero!.ticks.length);
});

it("a lost sync is found out by the next power cut", () => {
  const { seen } = watch([
    { kind: "lost-sync", at: 2550, forMs: 1000, node: 0 },
    { kind: "crash", at: 3550, forMs: 10, node: 0, unsynced: "lost", moment: "now" },
  ]);
  expect(seen[0]!.read[1]).toHaveLength(20);
});

it("a drifting clock runs at its rate, and its timers with it", () => {
  const { seen } = watch([{ kind: "drift", at: 0, forMs: 10_000, node: 0, rate: 1.1 }]);
  expect(seen[0]!.ticks.length).toBe(Math.floor((9999 * 1.1) / 100));
  const [first, last] = [seen[0]!.ticks[0]!, seen[0]!.ticks.at(-1)!];
  expect((last.now - first.now) / (last.real - first.real)).toBeCloseTo(1.1, 6);
});

it("a partition stops both ways, a cut one way, and neither stops the rest", () => {
  const split = watch([{ kind: "partition", at: 2550, forMs: 1000, side: [2] }], { nodes: 3 }).seen;
  expect(between(split[2]!.got, 2560, 3550)).toEqual([]);
  expect(between(split[0]!.got, 2560, 3550).map(({ from }) => from)).toEqual(Array(10).fill(1));
  const cut = watch([{ kind: "cut", at: 2550, forMs: 1000, from: 0, to: 1 }]).seen;
  expect(between(cut[1]!.got, 2560, 3550)).toEqual([]);
  expect(between(cut[0]!.got, 2550, 3550)).toHaveLength(10);
});

it("a slow link delays and keeps the order, also when it ends", () => {
  const { seen } = watch([{ kind: "slow", at: 2550, forMs: 1000, from: 0, to: 1, byMs: 500 }]);
  const numbers = seen[1]!.got.map(({ number }) => number);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  expect(between(seen[1]!.got, 2560, 3050)).toEqual([]);
  expect(seen[1]!.got).toHaveLength(zero!.got.length);
});

it("weather loses, repeats and overtakes", () => {
  const weather = (kind: "drop" | "duplicate" | "reorder"): readonly number[] =>
    watch([{ kind, at: 0, forMs: 9000, chance: 0.5 }]).seen[1]!.got.map(({ number }) => number);
  expect(weather("drop").length).toBeLessThan(70);
  expect(weather("duplicate").length).toBeGreaterThan(120);
  const reordered = weather("reorder");
  expect(reordered.length).toBeGreaterThan(90);
  expect(reordered).not.toEqual(reordered.toSorted((a, b) => a - b));
});

it("an action is done by its node, and a fault on the leader strikes the leader of the moment", () => {
  const { seen, run } = watch([
    { kind: "action", at: 2550, node: "leader", name: "boost", choice: 0 },
    { kind: "pause", at: 3550, forMs: 500, node: "leader" },
  ]);
  expect(seen[0]!.got.find(({ number }) => number === 1000)?.from).toBe(1);
  expect(between(seen[1]!.ticks, 3550, 4050)).toEqual([]);
  expect(run.trace.join("\n")).toContain("*** strikes: pause of leader for 500 ms");
});

it("all faults end with the heal, save the drift of clocks", () => {
  const { seen } = watch([
    { kind: "crash", at: 2000, forMs: 100_000, node: 0, unsynced: "kept", moment: "now" },
    { kind: "partition", at: 2000, forMs: 100_000, side: [0] },
  ]);
  expect(seen[0]!.boots).toEqual([0, 9000]);
  expect(between(seen[1]!.got, 9000, 10_000).length).toBeGreaterThan(5);
});

it("a machine that two faults keep down starts when both are over; a pause ends with its process", () => {
  const { seen } = watch([
    { kind: "pause", at: 1900, forMs: 5000, node: 0 },
    { kind: "crash", at: 2000, forMs: 1000, node: 0, unsynced: "kept", moment: "now" },
    { kind: "crash", at: 2500, forMs: 1000, node: 0, unsynced: "lost", moment: "now" },
  ]);
  expect(seen[0]!.boots).toEqual([0, 3500]);
  expect(between(seen[0]!.ticks, 3500, 4050)).toHaveLength(5);
});

it("a pause strikes nobody where no process is, and does not wait for the next one", () => {
  const { seen, run } = watch([
    { kind: "suspend", at: 2000, forMs: 1000, node: 0 },
    { kind: "crash", at: 2500, forMs: 10, node: 0, unsynced: "kept", moment: "now" },
    { kind: "pause", at: 2900, forMs: 1000, node: 0 },
  ]);
  expect(seen[0]!.boots).toEqual([0, 3000]);
  expect(between(seen[0]!.ticks, 3000, 3950)).toHaveLength(9);
  expect(run.trace.join("\n")).toContain("*** finds nobody: pause of 0");
});
