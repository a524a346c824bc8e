import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sqliteOutbox } from "../src/outbox.ts";
import { taskIdOf } from "../src/task-id.ts";
import { memoryOutbox, outboxContract } from "../src/testing/index.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
const file = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "chorus-outbox-"));
  directories.push(directory);
  return join(directory, "data", "outbox.db");
};

describe.each(outboxContract)("every outbox", (promise) => {
  it(`${promise.name} (memory)`, async () => {
    const outbox = memoryOutbox();
    await promise.run(outbox, () => outbox);
  });

  it(`${promise.name} (sqlite)`, async () => {
    const path = file();
    const opened = [sqliteOutbox(path)];
    const [first] = opened;
    await promise.run(first!, () => {
      first![Symbol.dispose]();
      const again = sqliteOutbox(path);
      opened.push(again);
      return again;
    });
    opened.at(-1)![Symbol.dispose]();
  });
});

it("belongs to one process at a time", () => {
  const path = file();
  using _first = sqliteOutbox(path);
  expect(() => sqliteOutbox(path)).toThrow(expect.objectContaining({ code: "coordinator/outbox-failed" }));
});

it("keeps with one flush what comes in one turn, and nothing of what it could not keep", async () => {
  const path = file();
  const ids = Array.from({ length: 200 }, (_, n) => taskIdOf("ada", `${n}`));
  {
    using outbox = sqliteOutbox(path);
    await Promise.all(ids.map((taskId) => outbox.put({ taskId, command: Uint8Array.of(1) })));
    void outbox.remove(ids[0]!);
  }
  using again = sqliteOutbox(path);
  expect((await again.list()).map(({ taskId }) => taskId)).toEqual(ids.slice(1));
  const closed = sqliteOutbox(file());
  closed[Symbol.dispose]();
  await expect(closed.put({ taskId: ids[0]!, command: Uint8Array.of(1) })).rejects.toMatchObject({
    code: "coordinator/outbox-failed",
  });
});

it("keeps submissions in a file that is its owner's alone, under the name that it was given", async () => {
  const path = file();
  {
    using outbox = sqliteOutbox(path);
    await outbox.put({ taskId: taskIdOf("ada", "1"), command: Uint8Array.of(1) });
    for (const name of readdirSync(dirname(path)))
      expect(statSync(join(dirname(path), name)).mode & 0o777).toBe(0o600);
  }
  const named = join(dirname(path), "file:outbox?mode=memory");
  {
    using outbox = sqliteOutbox(named);
    await outbox.put({ taskId: taskIdOf("ada", "1"), command: Uint8Array.of(1) });
  }
  using again = sqliteOutbox(named);
  expect(await again.list()).toHaveLength(1);
});

it("flushes what it finds before it counts", async () => {
  const path = file();
  for (let i = 0; i < 3; i++) {
    using outbox = sqliteOutbox(path);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    await outbox.put({ taskId: taskIdOf("ada", `${i}`), command: Uint8Array.of(1) });
  }
});

it("refuses a file without a name, and a folder that cannot be", () => {
  expect(() => sqliteOutbox("")).toThrow(expect.objectContaining({ code: "kernel/invalid-input" }));
  expect(() => sqliteOutbox("/proc/nowhere/outbox.db")).toThrow(
    expect.objectContaining({ code: "coordinator/outbox-failed" }),
  );
});

it("says so when its file cannot be opened", () => {
  const path = file();
  writeFileSync(dirname(path), "a file where the directory should be");
  expect(() => sqliteOutbox(path)).toThrow(expect.objectContaining({ code: "coordinator/outbox-failed" }));
});
