import fc from "fast-check";
import { expect, it } from "vitest";
import { ClaimQueue } from "../src/claim-queue.ts";
import { taskIdOf } from "../src/task-id.ts";

const idOf = (n: number) => taskIdOf("ada", `${n}`);

it("gives the highest priority first, and of equals the one that waits longest", () => {
  const queue = new ClaimQueue({ ageMs: 60_000 });
  for (const [n, priority] of [5, 9, 0, 9].entries()) queue.add({ id: idOf(n), priority, dueAt: n });
  expect([1, 2, 3, 4].map(() => queue.next(10))).toEqual([idOf(1), idOf(3), idOf(0), idOf(2)]);
  expect(queue.next(10)).toBeUndefined();
});

it("gives nothing before it is due", () => {
  const queue = new ClaimQueue({ ageMs: 60_000 });
  queue.add({ id: idOf(1), priority: 9, dueAt: 500 });
  queue.add({ id: idOf(2), priority: 0, dueAt: 100 });
  expect(queue.next(99)).toBeUndefined();
  expect(queue.nextDueAt()).toBe(100);
  expect(queue.next(100)).toBe(idOf(2));
  expect(queue.nextDueAt()).toBe(500);
});

it("lets nothing starve: a low priority that waits long enough overtakes a stream of higher ones", () => {
  const queue = new ClaimQueue({ ageMs: 1000 });
  queue.add({ id: idOf(0), priority: 0, dueAt: 0 });
  let taken = 0;
  for (let now = 0; now < 20_000; now += 100) {
    queue.add({ id: idOf(1 + now), priority: 9, dueAt: now });
    if (queue.next(now) !== idOf(0)) continue;
    taken = now;
    break;
  }
  expect(taken).toBeGreaterThanOrEqual(9000);
  expect(taken).toBeLessThanOrEqual(11_000);
});

it("forgets what was removed and moves what is added anew", () => {
  const queue = new ClaimQueue({ ageMs: 1000 });
  queue.add({ id: idOf(1), priority: 5, dueAt: 0 });
  queue.add({ id: idOf(2), priority: 5, dueAt: 0 });
  queue.remove(idOf(1));
  expect(queue.has(idOf(1))).toBe(false);
  queue.add({ id: idOf(2), priority: 5, dueAt: 50 });
  expect(queue.next(49)).toBeUndefined();
  expect(queue.next(50)).toBe(idOf(2));
  expect(queue.nextDueAt()).toBeUndefined();
});

it("hands out each task once, in the order that a plain list would give", () => {
  const tasks = fc.array(fc.record({ priority: fc.nat(9), dueAt: fc.nat(5000) }), { maxLength: 60 });
  fc.assert(
    fc.property(tasks, fc.integer({ min: 100, max: 2000 }), (wanted, ageMs) => {
      const queue = new ClaimQueue({ ageMs });
      const list = wanted.map((task, n) => ({ ...task, id: idOf(n) }));
      for (const task of list) queue.add(task);
      for (let now = 0; now <= 5000; now += 250) {
        const weight = ({ priority, dueAt }: { priority: number; dueAt: number }) =>
          priority + Math.floor((now - dueAt) / ageMs);
        const due = list.filter(({ dueAt }) => dueAt <= now);
        const best = Math.max(...due.map(weight));
        const next = queue.next(now);
        expect(next === undefined).toBe(due.length === 0);
        if (next === undefined) continue;
        const taken = list.findIndex(({ id }) => id === next);
        expect(weight(list[taken]!)).toBe(best);
        list.splice(taken, 1);
      }
    }),
  );
});
