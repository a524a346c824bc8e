import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { type Canonical, createSigner, errorCode, silentLogger, systemClock } from "@chorus/kernel";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileGuard } from "../src/guard.ts";
import { type EventLog, EventLogError } from "../src/index.ts";
import { openLog } from "../src/log.ts";
import { sqliteStore } from "../src/sqlite-store.ts";
import type { LogStore } from "../src/store.ts";
import { collect, origin, outcome, Place, scaled, signer } from "./fixtures/setup.ts";

const SIZE = 40;
const events: Canonical[] = Array.from({ length: SIZE }, (_, i) => ({
  i,
  filler: "y".repeat((i * 53) % 400),
}));
const written = JSON.stringify(events);

/** A log of `events`, one commit each; `crashed` is a copy of its files as a kill would leave them. */
async function fill(place: Place, crashed?: Place): Promise<void> {
  await using log = await place.open();
  for (const event of events) await log.append([event]);
  crashed?.copyFrom(place);
}

/** What a damaged log does, in one word. */
async function judge(place: Place): Promise<"whole" | "refused" | "found" | "silent"> {
  let log: EventLog;
  try {
    log = await place.open();
  } catch (error) {
    // A flipped name of the owner reads as another owner's log.
    expect(["event-log/corrupt", "kernel/invalid-input"]).toContain(errorCode(error));
    return "refused";
  }
  await using open = log;
  let { problems } = { problems: ["unread"] as readonly string[] };
  let read = "";
  try {
    read = JSON.stringify((await collect(open.read())).map(({ event }) => event));
    ({ problems } = await open.verify());
  } catch (error) {
    expect(errorCode(error)).toBe("event-log/corrupt");
  }
  const appended = await outcome(open.append(["more"]));
  if (appended !== "fine") {
    expect(["event-log/corrupt", "event-log/behind", "event-log/forked"]).toContain(appended);
    expect(place.errors.join("\n")).toContain("event log is read-only");
    return "found";
  }
  return read === written && problems.length === 0 ? "whole" : "silent";
}

function flip(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[at % bytes.length]! ^= 1 << bit;
  writeFileSync(path, bytes);
}

/** What someone with a database tool can do. */
function change(place: Place, sql: string): void {
  const database = new DatabaseSync(place.file);
  database.exec(sql);
  database.close();
}

describe("a log whose tail was torn off", () => {
  it("never appends over what it lost, wherever the tear is", { timeout: 600_000 }, async () => {
    using original = new Place();
    using crashed = new Place();
    await fill(original, crashed);
    const length = statSync(`${crashed.file}-wal`).size;
    const verdicts: string[] = [];
    const step = process.env["SLOW"] === "1" ? 97 : 7919;
    for (let cut = length - 1; cut >= 0; cut -= step) {
      using torn = new Place();
      torn.copyFrom(crashed);
      truncateSync(`${torn.file}-wal`, cut);
      verdicts.push(await judge(torn));
    }
    expect(verdicts.length).toBeGreaterThan(10);
    expect(new Set(verdicts)).toEqual(new Set(["found"]));
  });
  it("opens whole when the tail is there", async () => {
    using original = new Place();
    using crashed = new Place();
    await fill(original, crashed);
    expect(await judge(crashed)).toBe("whole");
  });
});

describe("a log with a flipped bit", () => {
  it.each(["", "-wal", ".guard"])(
    "in its file%s never passes other entries off as its own",
    async (part) => {
      using original = new Place();
      using crashed = new Place();
      await fill(original, crashed);
      const source = part === "-wal" ? crashed : original;
      const verdicts = new Set<string>();
      await fc.assert(
        fc.asyncProperty(fc.nat(statSync(source.file + part).size - 1), fc.nat(7), async (at, bit) => {
          using damaged = new Place();
          damaged.copyFrom(source);
          flip(damaged.file + part, at, bit);
          const verdict = await judge(damaged);
          verdicts.add(verdict);
          expect(verdict).not.toBe("silent");
        }),
        { numRuns: scaled(60) },
      );
      expect(verdicts.size).toBeGreaterThan(0);
    },
    600_000,
  );
});

describe("a log that someone edited", () => {
  it.each(["log rename column peer to pier", "entry rename column nodes to modes"])(
    "is refused as damaged after: alter table %s",
    async (how) => {
      using place = new Place();
      await fill(place);
      change(place, `alter table ${how}`);
      expect(await judge(place)).toBe("refused");
    },
  );
  it("names the changed entry, keeps the others readable and goes on refusing", async () => {
    using place = new Place();
    await fill(place);
    change(place, "update entry set bytes = (select bytes from entry where seq = 3) where seq = 17");
    await using log = await place.open();
    const { problems, checked } = await log.verify();
    expect(problems).toEqual(["entry 17 does not match its hash"]);
    expect(checked).toBe(SIZE);
    expect(await collect(log.read({ to: 17 }))).toHaveLength(17);
    expect(await collect(log.read({ from: 18 }))).toHaveLength(SIZE - 18);
    expect(await outcome(collect(log.read({ from: 17 })))).toBe("event-log/corrupt");
    expect(await outcome(log.append([1]))).toBe("event-log/corrupt");
    expect(place.errors).toHaveLength(1);
  });
  it.each([
    ["a changed tree node", "update entry set nodes = (select nodes from entry where seq = 5) where seq = 9"],
    [
      "an entry with its hash",
      "update entry set (bytes, nodes) = (select bytes, nodes from entry where seq = 4) where seq = 6",
    ],
    ["a missing entry", "delete from entry where seq = 20"],
    ["a missing last entry", "delete from entry where seq = 39"],
    ["an entry nobody signed for", "insert into entry select 40, bytes, nodes from entry where seq = 38"],
    ["no checkpoint", "update log set note = null"],
    ["another checkpoint", "update log set note = replace(note, char(10) || '40', char(10) || '39')"],
    ["no entries at all", "delete from entry; update log set note = null"],
    ["no table", "drop table entry"],
    ["no owner", "drop table log"],
  ])("is found out with %s", async (_, sql) => {
    using place = new Place();
    await fill(place);
    change(place, sql);
    expect(await judge(place)).toMatch(/found|refused/);
  });
  it.each([
    ["too few entries", "delete from entry where seq = 39"],
    ["too many", "insert into entry select 40, bytes, nodes from entry where seq = 38"],
    [
      "a root that is not the checkpoint's",
      "update entry set nodes = zeroblob(length(nodes)) where seq = 31",
    ],
    ["an unreadable checkpoint", "update log set note = 'x'"],
  ])("is read-only from the start with %s", async (_, sql) => {
    using place = new Place();
    await fill(place);
    change(place, sql);
    await using log = await place.open();
    expect(place.errors).toHaveLength(1);
    expect(await outcome(log.append([1]))).toBe("event-log/corrupt");
  });
});

describe("a restored backup", () => {
  it("of the database alone says that its guard is gone, and makes a new one", async () => {
    using place = new Place();
    using restored = new Place();
    await fill(place);
    restored.copyFrom(place, [""]);
    {
      await using log = await restored.open();
      expect(restored.errors).toEqual(["event log has lost its guard file"]);
      expect(await collect(log.read())).toHaveLength(SIZE);
    }
    await using again = await restored.open();
    expect(again.head().size).toBe(SIZE);
    expect(restored.errors).toHaveLength(1);
  });
  it("with the newer guard beside it knows what it has lost", async () => {
    using place = new Place();
    using backup = new Place();
    await fill(place);
    backup.copyFrom(place);
    {
      await using log = await place.open();
      await log.append(["later"]);
    }
    writeFileSync(place.file, readFileSync(backup.file));
    await using log = await place.open();
    expect(await outcome(log.append(["again"]))).toBe("event-log/behind");
    expect(await collect(log.read())).toHaveLength(SIZE);
    expect(place.errors[0]).toContain(`"promised":${SIZE + 1}`);
  });
  it("of everything learns from a peer what it has lost, and remembers", async () => {
    using place = new Place();
    using backup = new Place();
    await fill(place);
    backup.copyFrom(place);
    let held: string;
    {
      await using log = await place.open();
      held = (await log.append(["later"])).checkpoint.note;
    }
    {
      await using log = await backup.open();
      await log.confirm(held);
      expect(await outcome(log.append(["again"]))).toBe("event-log/behind");
    }
    await using reopened = await backup.open();
    expect(await outcome(reopened.append(["again"]))).toBe("event-log/behind");
  });
  it("that went on alone is shown both of its histories", async () => {
    using place = new Place();
    using backup = new Place();
    await fill(place);
    backup.copyFrom(place);
    let held: string;
    {
      await using log = await place.open();
      held = (await log.append(["later"])).checkpoint.note;
    }
    await using log = await backup.open();
    const { checkpoint } = await log.append(["another"]);
    await log.confirm(held);
    expect(await outcome(log.append(["more"]))).toBe("event-log/forked");
    const evidence = readFileSync(`${backup.file}.evidence`, "utf8");
    expect(evidence).toContain(held);
    expect(evidence).toContain(checkpoint.note);
  });
});

describe("a guard file", () => {
  it("with one damaged slot does its work with the other", async () => {
    using place = new Place();
    await fill(place);
    flip(`${place.file}.guard`, ((SIZE - 1) % 2) * 512 + 5, 1);
    await using log = await place.open();
    expect(await outcome(log.append([1]))).toBe("fine");
  });
  it("with both slots damaged makes the log read-only", async () => {
    using place = new Place();
    await fill(place);
    flip(`${place.file}.guard`, 5, 1);
    flip(`${place.file}.guard`, 517, 1);
    await using log = await place.open();
    expect(await outcome(log.append([1]))).toBe("event-log/corrupt");
    expect(await collect(log.read())).toHaveLength(SIZE);
  });
  it("keeps the largest promise when peers bring smaller ones", async () => {
    using place = new Place();
    using elsewhere = new Place();
    const notes: string[] = [];
    {
      await using longer = await elsewhere.open();
      for (let i = 0; i < 4; i++) notes.push((await longer.append([i])).checkpoint.note);
    }
    {
      await using log = await place.open();
      for (const note of [notes[3]!, notes[1]!, notes[2]!]) await log.confirm(note);
    }
    await using log = await place.open();
    expect(await outcome(log.append([0]))).toBe("event-log/behind");
    expect(place.errors.at(-1)).toContain('"promised":4');
  });
});

describe("opening", () => {
  it("finds what was appended before, and goes on", async () => {
    using place = new Place();
    await fill(place);
    await using log = await place.open();
    expect(JSON.stringify((await collect(log.read())).map(({ event }) => event))).toBe(written);
    expect((await log.append(["next"])).first).toBe(SIZE);
    expect(place.errors).toEqual([]);
  });
  it("refuses the log of another signer or origin, and leaves it as it is", async () => {
    using place = new Place();
    await fill(place);
    const seed = await createSigner(new Uint8Array(32).fill(23));
    expect(await outcome(place.open({ seed }))).toBe("kernel/invalid-input");
    expect(await outcome(place.open({ origin: "other.example/log" }))).toBe("kernel/invalid-input");
    expect(await judge(place)).toBe("whole");
  });
  it.each(["", "with space", "with+plus", "line\nbreak", "x".repeat(129)])(
    "refuses the origin %j, which no checkpoint could carry",
    async (wrong) => {
      using place = new Place();
      expect(await outcome(place.open({ origin: wrong }))).toBe("kernel/invalid-input");
      expect(existsSync(place.file)).toBe(false);
    },
  );
  it("leaves a file alone that is no database", async () => {
    using place = new Place();
    writeFileSync(place.file, "not a database, but somebody's notes\n".repeat(100));
    const before = readFileSync(place.file);
    expect(await outcome(place.open())).toBe("event-log/corrupt");
    expect(readFileSync(place.file)).toEqual(before);
  });
  it("says so when the directory is not there", async () => {
    using place = new Place();
    expect(await outcome(place.open({ file: join(dirname(place.file), "missing", "events.db") }))).toBe(
      "event-log/disk",
    );
  });
  it("can be tried again after it failed", async () => {
    using place = new Place();
    writeFileSync(place.file, "x".repeat(5000));
    expect(await outcome(place.open())).toBe("event-log/corrupt");
    rmSync(place.file);
    await using log = await place.open();
    expect(log.head().size).toBe(0);
  });
});

describe("a full disk", () => {
  it("leaves the log as it was, so that the next append takes its place", async () => {
    using place = new Place();
    const store = sqliteStore(place.file, { origin, peer: signer.peer });
    const guard = fileGuard(place.file, { origin, peer: signer.peer });
    let isFull = true;
    const commit: LogStore["commit"] = (rows, note) => {
      if (isFull) throw new EventLogError("disk");
      store.commit(rows, note);
    };
    const flaky: LogStore = {
      size: () => store.size(),
      note: () => store.note(),
      rows: (from, limit) => store.rows(from, limit),
      row: (seq) => store.row(seq),
      problems: () => store.problems(),
      close: () => store.close(),
      commit,
    };
    const parts = { signer, clock: systemClock, logger: silentLogger, store: flaky, guard };
    await using log = await openLog(parts, { origin });
    expect(await outcome(log.append(["no room"]))).toBe("event-log/disk");
    expect(log.head().size).toBe(0);
    isFull = false;
    expect((await log.append(["room"])).first).toBe(0);
    expect((await log.verify()).problems).toEqual([]);
  });
  it.skipIf(process.platform === "win32")(
    "refuses the append and loses nothing",
    { timeout: 60_000 },
    async () => {
      using place = new Place();
      const child = new URL("./fixtures/full-disk-child.ts", import.meta.url).pathname;
      // A limit on file size is a full disk that a test can have without being root.
      const command = `ulimit -f 800; exec "$0" --conditions=@chorus/source "$@"`;
      const { stdout } = await promisify(execFile)("sh", [
        "-c",
        command,
        process.execPath,
        child,
        place.file,
        origin,
      ]);
      const told = JSON.parse(stdout) as {
        promised: number;
        readable: number;
        head: number;
        code: string;
        again: string;
      };
      expect([told.code, told.again]).toEqual(["event-log/disk", "event-log/disk"]);
      expect(told.promised).toBeGreaterThan(10);
      expect(told).toMatchObject({ readable: told.promised, head: told.promised });
      await using log = await place.open();
      expect(log.head().size).toBe(told.promised);
      expect((await log.verify()).problems).toEqual([]);
      expect(await outcome(log.append(["room again"]))).toBe("fine");
    },
  );
});
