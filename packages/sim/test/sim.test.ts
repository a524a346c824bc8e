import { describe, expect, it } from "vitest";
import { type Fault, type Host, formatRun, sim, type SimOptions, type World } from "../src/index.ts";

interface Holder {
  message(from: number, message: "ask" | "granted"): void;
  holds(): boolean;
  has(): boolean;
}

/** Node 0 lends a lease to one node at a time, and forgets it when it crashes, unless it is careful. */
function lender(careful: boolean) {
  return {
    boot({ self, now, random, send, after, disk, note }: Host<"ask" | "granted">): Holder {
      // Another machine's clock may not be compared with this one's: after a crash, wait for a whole lease.
      let until = careful && self === 0 && disk.read("started") ? now() + 600 : -Infinity;
      let asked = 0;
      disk.write("started", new Uint8Array(1));
      disk.sync();
      const ask = (): void => {
        asked = now();
        if (self > 0) send(0, "ask");
        after(300 + 400 * random(), ask);
      };
      ask();
      return {
        holds: () => self > 0 && now() < until,
        has: () => self === 0 || asked > 0,
        message(from, message) {
          if (message === "granted" && now() < asked + 400) until = asked + 400;
          if (message === "granted" || now() < until) return;
          until = now() + 600;
          note(`lends to ${from}`);
          send(from, "granted");
        },
      };
    },
    invariants: () => ({
      "one holder": ({ nodes }: World<Holder>) =>
        nodes.filter(({ running }) => running?.holds()).length > 1 ? "two nodes hold the lease" : undefined,
    }),
  };
}

// A late grant that belongs to an earlier question is a defect of its own: links here are too fast for it.
const weights = { reorder: 0, duplicate: 0, slow: 0, pause: 0, suspend: 0, "full-disk": 0 };

describe("a run", () => {
  it("is the same again for the same seed, and another for another seed", () => {
    for (const options of [
      {},
      { nodes: 5 },
      { drift: 0, durationMs: 30_000, healMs: 5000 },
    ] satisfies SimOptions[]) {
      const runs = [1, 2, 3, 4, 5].map((seed) => sim(lender(true), options).run(seed));
      const again = [1, 2, 3, 4, 5].map((seed) => sim(lender(true), options).run(seed));
      expect(again).toEqual(runs);
      expect(new Set(runs.map(({ hash }) => hash)).size).toBe(5);
    }
  });

  it("replays as it ran, with a trace that says so", () => {
    const simulator = sim(lender(false), { weights });
    const run = simulator.run(3);
    const replayed = simulator.replay(run);
    expect(run.trace).toEqual([]);
    expect(replayed.trace.length).toBeGreaterThan(0);
    expect({ ...replayed, trace: [] }).toEqual(run);
  });

  it("has another hash as soon as a node notes another thing", () => {
    const noting = (text: string) =>
      sim({
        boot: ({ note }: Host<never>) => {
          note(text);
          return { message: () => undefined };
        },
      }).run(1);
    expect(noting("one").hash).toBe(noting("one").hash);
    expect(noting("one").hash).not.toBe(noting("two").hash);
  });

  it("ends with what a node throws", () => {
    const run = sim({
      boot: ({ after }: Host<never>) => {
        after(1000, () => {
          throw new Error("planted");
        });
        return { message: () => undefined };
      },
    }).run(1);
    expect(run.violation).toMatchObject({ name: "threw", text: expect.stringContaining("planted") });
  });

  it("draws every kind of fault that has a weight, and no other", () => {
    const simulator = sim({ ...lender(true), actions: { nothing: () => undefined }, leader: () => 0 });
    const kinds = new Set<string>();
    let leader = 0;
    for (let seed = 1; seed <= 50; seed++)
      for (const fault of simulator.run(seed).faults) {
        kinds.add(fault.kind);
        if ("node" in fault && fault.node === "leader") leader++;
      }
    expect([...kinds].toSorted()).toEqual(
      "action crash cut drift drop duplicate full-disk partition pause reorder slow suspend".split(" "),
    );
    expect(leader).toBeGreaterThan(100);
    const only = sim(lender(true), {
      weights: { ...weights, crash: 0, partition: 0, cut: 0, drop: 0, "full-disk": 0 },
    });
    expect(new Set(only.run(1).faults.map(({ kind }) => kind))).toEqual(new Set(["drift"]));
  });
});

it("a pattern's faults keep their distances, wherever the schedule puts them", () => {
  const pattern = (random: () => number): readonly [Fault, Fault] => [
    { kind: "pause", at: 0, forMs: 1, node: 2 },
    { kind: "cut", at: 250 + 0.5 * random(), forMs: 777.5, from: 2, to: 1 },
  ];
  const rest = { crash: 0, partition: 0, drop: 0, drift: 0, slow: 0, suspend: 0, pause: 0, cut: 0 };
  const only = { ...rest, reorder: 0, duplicate: 0, "full-disk": 0 };
  const { faults } = sim({ ...lender(true), patterns: [pattern] }, { weights: only }).run(1);
  const pauses = faults.filter(({ kind }) => kind === "pause");
  expect(pauses.length).toBeGreaterThan(5);
  const cuts = pauses.map(({ at }) => ({ kind: "cut", at: at + 250, forMs: 778, from: 2, to: 1 }));
  expect(faults.filter(({ kind }) => kind === "cut")).toEqual(cuts);
  expect(faults.map(({ at }) => at)).toEqual(faults.map(({ at }) => at).toSorted((a, b) => a - b));
});

describe("liveness", () => {
  const options = { durationMs: 10_000, healMs: 6000, healWithinMs: 2000, weights: { crash: 0 } };
  const becoming = (from: number, to: number) => ({
    boot: ({ after }: Host<never>) => {
      const tick = () => void after(100, tick);
      tick();
      return { message: () => undefined };
    },
    eventually: { agreed: ({ now }: World<unknown>) => now >= from && now < to },
  });

  it("must come within the bound after the heal", () => {
    expect(sim(becoming(5900, Infinity), options).run(1).violation).toBeUndefined();
    expect(sim(becoming(6100, Infinity), options).run(1).violation).toMatchObject({
      name: "agreed",
      at: 6000,
    });
  });

  it("must last to the end", () => {
    expect(sim(becoming(0, 9000), options).run(1).violation).toMatchObject({ name: "agreed", at: 10_000 });
  });
});

describe("shrinking", () => {
  it("leaves the one fault that matters, few nodes and little time", () => {
    const simulator = sim(lender(false), { nodes: 5, weights });
    const first = Array.from({ length: 100 }, (_, i) => simulator.run(i + 1)).find(
      ({ violation }) => violation,
    );
    expect(first?.faults.length).toBeGreaterThan(10);
    const small = simulator.shrink(first!);
    expect(small.violation?.name).toBe("one holder");
    expect(small.nodes).toBeLessThan(5);
    expect(small.faults).toHaveLength(1);
    expect(small.faults[0]).toMatchObject({ kind: "crash", node: 0, unsynced: "kept", moment: "now" });
    expect(small.durationMs).toBeLessThan(2000);
    expect(simulator.replay(small)).toEqual(small);
    expect(formatRun(small)).toMatch(
      /^seed \d+, 3 nodes, \d+ ms.*\nfaults:[^]*crash of 0[^]*VIOLATED at .* two nodes hold/,
    );
  });

  it("keeps faults that are only harmful together", () => {
    const simulator = sim({
      boot: ({ after }: Host<never>) => {
        const tick = () => void after(50, tick);
        tick();
        return { message: () => undefined };
      },
      invariants: () => ({
        "not both": ({ nodes }: World<unknown>) =>
          nodes[0]?.running === undefined && nodes[1]?.frozen ? "0 is down while 1 is frozen" : undefined,
      }),
    });
    const small = simulator.search({ from: 1, count: 200 });
    expect(small?.faults).toHaveLength(2);
    expect(small?.nodes).toBe(2);
  });

  it("gives a run without violation back", () => {
    const simulator = sim(lender(true), { weights });
    const run = simulator.run(1);

    expect(run.violation).toBeUndefined();
    expect(simulator.shrink(run)).toBe(run);
    expect(simulator.search({ count: 50 })).toBeUndefined();
  });
});

it.each<[SimOptions, string]>([
  [{ nodes: 0 }, "nodes"],
  [{ healMs: 70_000 }, "healMs"],
  [{ delayMs: [5, 1] }, "delayMs"],
  [{ drift: 1 }, "drift"],
  [{ weights: { crash: -1 } }, "weights"],
])("refuses %j", (options, path) => {
  expect(() => sim(lender(true), options)).toThrow(
    expect.objectContaining({ code: "kernel/invalid-input", detail: expect.objectContaining({ path }) }),
  );
});
