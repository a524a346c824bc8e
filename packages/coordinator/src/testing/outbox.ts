import assert from "node:assert/strict";
import type { Outbox, OutboxEntry } from "../contract-ports.ts";
import type { TaskId } from "../contract-task.ts";
import { taskIdOf } from "../task-id.ts";

/** An outbox that lasts as long as it is held: give the same one to the next coordinator for a restart. */
export function memoryOutbox(): Outbox {
  const entries = new Map<TaskId, OutboxEntry>();
  return {
    put: async (entry) => {
      if (!entries.has(entry.taskId)) entries.set(entry.taskId, { ...entry, command: entry.command.slice() });
    },
    remove: async (taskId) => {
      entries.delete(taskId);
    },
    list: async () => [...entries.values()],
  };
}

/** One promise of every {@link Outbox}. `outbox` is empty; `reopen` gives what a restarted process finds. */
export interface OutboxCase {
  readonly name: string;
  run(outbox: Outbox, reopen: () => Outbox): Promise<void>;
}

const entry = (key: string, ...command: number[]): OutboxEntry => ({
  taskId: taskIdOf("test", key),
  command: Uint8Array.from(command),
});

/** The contract suite: run each case against a fresh outbox. */
export const outboxContract: readonly OutboxCase[] = [
  {
    name: "lists what was put, oldest first",
    async run(outbox) {
      await outbox.put(entry("b", 1));
      await outbox.put(entry("a", 2));
      assert.deepEqual(await outbox.list(), [entry("b", 1), entry("a", 2)]);
    },
  },
  {
    name: "keeps the first command of a task",
    async run(outbox) {
      await outbox.put(entry("a", 1));
      await outbox.put(entry("a", 2));
      assert.deepEqual(await outbox.list(), [entry("a", 1)]);
    },
  },
  {
    name: "forgets what was removed, and does not mind what it never had",
    async run(outbox) {
      await outbox.put(entry("a", 1));
      await outbox.put(entry("b", 2));
      await outbox.remove(entry("a").taskId);
      await outbox.remove(entry("c").taskId);
      assert.deepEqual(await outbox.list(), [entry("b", 2)]);
    },
  },
  {
    name: "still has everything after a restart",
    async run(outbox, reopen) {
      await outbox.put(entry("a", 1, 2, 3));
      assert.deepEqual(await reopen().list(), [entry("a", 1, 2, 3)]);
    },
  },
];
