import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { sqliteOutbox } from "../src/outbox.ts";
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

it("says so when its file cannot be opened", () => {
  const path = file();
  writeFileSync(dirname(path), "a file where the directory should be");
  expect(() => sqliteOutbox(path)).toThrow(expect.objectContaining({ code: "coordinator/outbox-failed" }));
});
