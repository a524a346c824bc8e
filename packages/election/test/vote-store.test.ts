import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sqliteVoteStore } from "../src/index.ts";
import { memoryVoteStore, voteStoreCases } from "../src/testing/index.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "votes-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("sqliteVoteStore", () => {
  it.each(voteStoreCases)("$name", async ({ run }) => {
    await run({ open: () => sqliteVoteStore(join(directory, "sub", "vote.sqlite")) });
  });
  it("refuses a file that another voter has open", () => {
    const file = join(directory, "vote.sqlite");
    using _first = sqliteVoteStore(file);
    expect(() => sqliteVoteStore(file)).toThrow(expect.objectContaining({ code: "election/store-failed" }));
  });
  it("refuses a file that is no vote store", () => {
    const file = join(directory, "vote.sqlite");
    writeFileSync(file, "not a database, by any means, and long enough to be looked at".repeat(20));
    expect(() => sqliteVoteStore(file)).toThrow(expect.objectContaining({ code: "election/store-failed" }));
  });
});

describe("memoryVoteStore", () => {
  it.each(voteStoreCases)("$name", async ({ run }) => {
    const store = memoryVoteStore();
    await run({ open: () => store });
  });
});
