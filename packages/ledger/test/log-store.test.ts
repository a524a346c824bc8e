import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GENESIS, seal } from "../src/chain.ts";
import { sqliteLogStore } from "../src/index.ts";
import { logStoreCases, memoryLogStore } from "../src/testing/index.ts";

let file = "";
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), "ledger-")), "log.sqlite");
});
afterEach(() => rmSync(join(file, ".."), { recursive: true }));

describe("sqliteLogStore", () => {
  it.each(logStoreCases)("$name", ({ run }) => run({ open: () => sqliteLogStore(file) }));
  it("refuses a file that another process has open, and one that is no log", () => {
    {
      using _first = sqliteLogStore(file);
      expect(() => sqliteLogStore(file)).toThrow(expect.objectContaining({ code: "ledger/store-failed" }));
    }
    rmSync(file);
    writeFileSync(file, "not a database, by any means, and long enough to be looked at".repeat(20));
    expect(() => sqliteLogStore(file)).toThrow(expect.objectContaining({ code: "ledger/store-failed" }));
  });
  it("keeps the file for its owner, and refuses a name that SQLite would take for something else", () => {
    using _store = sqliteLogStore(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
    expect(() => sqliteLogStore("")).toThrow(expect.objectContaining({ code: "kernel/invalid-input" }));
    for (const bad of ["/proc/none/of/this/log.sqlite", "/dev/null/log.sqlite"])
      expect(() => sqliteLogStore(bad)).toThrow(expect.objectContaining({ code: "ledger/store-failed" }));
  });
  it("flushes what it finds: opening it writes to the journal", async () => {
    {
      using store = sqliteLogStore(file);
      await store.append(seal(GENESIS, 1, [{ id: "a", command: Uint8Array.of(1) }]), 1);
    }
    using _again = sqliteLogStore(file);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  });
  it("notices a damaged commit index", async () => {
    {
      using store = sqliteLogStore(file);
      await store.append(seal(GENESIS, 1, [{ id: "a", command: Uint8Array.of(1) }]), 1);
    }
    const database = new DatabaseSync(file);
    database.exec("UPDATE committed SET idx = 0");
    database.close();
    using store = sqliteLogStore(file);
    await expect(store.committed()).rejects.toMatchObject({ code: "ledger/store-failed" });
  });
});

describe("memoryLogStore", () => {
  it.each(logStoreCases)("$name", async ({ run }) => {
    const store = memoryLogStore();
    await run({ open: () => store });
  });
});
