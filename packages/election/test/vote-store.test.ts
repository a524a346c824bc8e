import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodeCanonical } from "@chorus/kernel";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { firstConfig } from "../src/config.ts";
import { sqliteVoteStore } from "../src/index.ts";
import { memoryVoteStore, voteStoreCases } from "../src/testing/index.ts";
import { peers } from "./fixtures/setup.ts";

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
  it("says so when the state in the file is not one that it reads", async () => {
    const file = join(directory, "vote.sqlite");
    const { founding: _, ...config } = firstConfig("mesh", peers.slice(0, 1));
    {
      using _store = sqliteVoteStore(file);
    }
    {
      using database = new DatabaseSync(file);
      const voters = config.voters.map((voter) => ({ ...voter }));
      const state = encodeCanonical({ term: 3, config: { ...config, voters } });
      database.prepare("INSERT INTO vote (slot, state) VALUES (0, ?)").run(state);
    }
    using store = sqliteVoteStore(file);
    await expect(store.load()).rejects.toMatchObject({
      code: "election/store-failed",
      message: "vote store: is damaged, or of a version that this one does not read",
      cause: { detail: { path: "founding" } },
    });
  });
  it("keeps all that a state can hold", async () => {
    const [peer] = peers;
    const config = firstConfig("mesh", [peer!]);
    const vote = { voter: peer!, signature: new Uint8Array(64) };
    const change = { config, approvals: [vote] };
    const certificate = { config, term: 2, candidate: peer!, votes: [vote] };
    const state = {
      term: 2,
      config,
      base: config,
      changes: [change],
      pledge: { config, number: 3 },
      proposed: 3,
      founded: change,
      certificate,
    };
    using store = sqliteVoteStore(join(directory, "vote.sqlite"));
    await store.save(state);
    expect(await store.load()).toEqual(state);
  });
  it("refuses a file that is no vote store", () => {
    const file = join(directory, "vote.sqlite");
    writeFileSync(file, "not a database, by any means, and long enough to be looked at".repeat(20));
    expect(() => sqliteVoteStore(file)).toThrow(expect.objectContaining({ code: "election/store-failed" }));
  });
});

describe("the file of sqliteVoteStore", () => {
  const refused = expect.objectContaining({ code: "election/store-failed" });
  const modeOf = (file: string): number => statSync(file).mode & 0o777;

  it("needs a name: SQLite would keep the votes in a file that it removes", () => {
    for (const name of ["", undefined as never])
      expect(() => sqliteVoteStore(name)).toThrow(
        expect.objectContaining({ code: "kernel/invalid-input", message: "file: must be a name" }),
      );
  });
  it.runIf(process.platform === "linux")("is refused at once where no folder can be made", () => {
    for (const file of ["/proc/nowhere/deep/votes.sqlite", join(import.meta.filename, "votes.sqlite")])
      expect(() => sqliteVoteStore(file)).toThrow(refused);
  });
  it("is what it is called, also where SQLite would read the name as something else", async () => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      for (const term of [undefined, 3]) {
        using store = sqliteVoteStore("file:votes?mode=memory");
        expect((await store.load())?.term).toBe(term);
        await store.save({ term: 3 });
      }
    } finally {
      process.chdir(before);
    }
    expect(existsSync(join(directory, "file:votes?mode=memory"))).toBe(true);
  });
  it.skipIf(process.platform === "win32")("is its owner's alone, also one that was not", async () => {
    const fresh = join(directory, "sub", "fresh.sqlite");
    const older = join(directory, "older.sqlite");
    writeFileSync(older, "", { mode: 0o644 });
    for (const file of [fresh, older]) {
      using store = sqliteVoteStore(file);
      await store.save({ term: 1 });
      expect([file, `${file}-wal`].map(modeOf)).toEqual([0o600, 0o600]);
    }
    expect(modeOf(join(directory, "sub"))).toBe(0o700);
  });
  it("is flushed when it is opened: what a killed process wrote may not be on the disk yet", async () => {
    const file = join(directory, "vote.sqlite");
    {
      using store = sqliteVoteStore(file);
      await store.save({ term: 3 });
    }
    using store = sqliteVoteStore(file);
    // With `synchronous = FULL` whatever is added to the journal flushes all of it.
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    expect(await store.load()).toEqual({ term: 3 });
  });
});

describe("memoryVoteStore", () => {
  it.each(voteStoreCases)("$name", async ({ run }) => {
    const store = memoryVoteStore();
    await run({ open: () => store });
  });
});
