import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { type LogStore, sqliteLogStore } from "../src/index.ts";
import { ledgerCases, memoryLogStore } from "../src/testing/index.ts";

describe.each([1, 3, 5])("a ledger of %i voters", (voters) => {
  const cases = ledgerCases.filter(({ atLeast }) => voters >= atLeast);

  it.each(cases)("$name, in memory", async ({ run }) => {
    const stores = new Map<number, LogStore>();
    const open = (n: number): LogStore => {
      const store = stores.get(n) ?? memoryLogStore();
      stores.set(n, store);
      return store;
    };
    await run({ open }, voters);
  });
  it.each(cases)("$name, on SQLite", async ({ run }) => {
    const directory = mkdtempSync(join(tmpdir(), "ledger-"));
    try {
      await run({ open: (n) => sqliteLogStore(join(directory, `${n}.sqlite`)) }, voters);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
