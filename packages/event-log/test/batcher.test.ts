import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { batcher } from "../src/batcher.ts";
import { memoryEventLog } from "../src/testing/index.ts";
import { origin, signer } from "./fixtures/setup.ts";

describe("a batcher", () => {
  it("runs together what comes while it is at work", async () => {
    const batches: (readonly number[])[] = [];
    const { add } = batcher<number, number>({
      run: async (items) => {
        batches.push(items);
        return items.map((item) => item * 2);
      },
      weigh: (item) => item,
      limit: 5,
      pause: async () => undefined,
    });
    expect(await Promise.all([1, 2, 3, 9, 1].map((item) => add(item)))).toEqual([2, 4, 6, 18, 2]);
    expect(batches).toEqual([[1, 2, 3], [9], [1]]);
  });
  it("fails a batch as a whole and goes on with the next", async () => {
    const failure = new Error("no");
    const { add, idle } = batcher<number, number>({
      run: async (items) => {
        if (items.includes(0)) throw failure;
        return items;
      },
      weigh: () => 1,
      limit: 2,
      pause: async () => undefined,
    });
    const results = await Promise.allSettled([add(0), add(1), add(2)]);
    expect(results.map((result) => (result.status === "fulfilled" ? result.value : result.reason))).toEqual([
      failure,
      failure,
      2,
    ]);
    await idle();
  });
  it("runs nothing when all that waited was withdrawn", async () => {
    const controller = new AbortController();
    let runs = 0;
    const { add, idle } = batcher<number, number>({
      run: async (items) => {
        runs += 1;
        return items;
      },
      weigh: () => 1,
      limit: 2,
      pause: async () => undefined,
    });
    const withdrawn = add(1, controller.signal).catch((reason: unknown) => reason);
    controller.abort("gone");
    expect(await withdrawn).toBe("gone");
    await idle();
    expect(runs).toBe(0);
    expect(await add(2)).toBe(2);
  });
});

describe("a commit window", () => {
  it("lets appends that come within it share one checkpoint", async () => {
    const clock = manualClock();
    await using log = await memoryEventLog({ signer, clock }, { origin, commitWindowMs: 5 });
    const first = log.append([1]);
    await clock.advance(4);
    const second = log.append([2]);
    expect(log.head().size).toBe(0);
    await clock.advance(1);
    const [one, two] = await Promise.all([first, second]);
    expect(one.checkpoint).toEqual(two.checkpoint);
    expect([one.first, two.first, one.size]).toEqual([0, 1, 2]);
  });
});
