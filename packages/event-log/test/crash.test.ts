import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { openCheckpoint, verifyConsistency } from "../src/index.ts";
import { describe, expect, it } from "vitest";
import { collect, origin, outcome, Place, scaled, signer } from "./fixtures/setup.ts";

const child = new URL("./fixtures/append-child.ts", import.meta.url).pathname;
const log = { origin, peer: signer.peer };

/** Lets a process append to the log until it has promised some checkpoints, and kills it. */
async function appendAndKill(file: string, promises: number): Promise<string[]> {
  const running = spawn(process.execPath, ["--conditions=@chorus/source", child, file, origin], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(running, "exit");
  const notes: string[] = [];
  for await (const line of createInterface({ input: running.stdout })) {
    notes.push((JSON.parse(line) as { note: string }).note);
    if (notes.length === promises) running.kill("SIGKILL");
  }
  const [, signal] = (await exit) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  return notes;
}

describe("a process killed while it appends", () => {
  it("has lost nothing that it promised, round after round", { timeout: 600_000 }, async () => {
    using place = new Place();
    const promised: string[] = [];
    for (let round = 0; round < scaled(20); round++) {
      promised.push(...(await appendAndKill(place.file, 1 + ((round * 7) % 23))));
      await using reopened = await place.open();
      const newer = reopened.head();
      for (const note of promised.slice(-30)) {
        const older = await openCheckpoint(note, log);
        const proof = await reopened.consistency(older.size, newer.size);
        expect(verifyConsistency({ older, newer, proof })).toBe(true);
      }
      expect((await reopened.verify()).problems).toEqual([]);
      await reopened.append([{ round }]);
    }
    expect(place.errors).toEqual([]);
    await using last = await place.open();
    const entries = await collect(last.read());
    expect(entries.length).toBe(last.head().size);
    // All or nothing: a writer's parts stand together.
    const parts = entries.map(({ event }) => event as { i?: number; part?: number });
    for (const [at, { i, part }] of parts.entries())
      if (part !== undefined && part > 0) expect(parts[at - 1]).toMatchObject({ i, part: part - 1 });
  });
  it("does not keep the next one out", async () => {
    using place = new Place();
    await appendAndKill(place.file, 3);
    await using reopened = await place.open();
    expect(reopened.head().size).toBeGreaterThanOrEqual(3);
  });
});

describe("a second opener", () => {
  it("is refused, in this process and in another, until the first has closed", async () => {
    using place = new Place();
    const first = await place.open();
    await first.append([1]);
    expect(await outcome(place.open())).toBe("event-log/locked");
    const other = spawn(process.execPath, ["--conditions=@chorus/source", child, place.file, origin], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const output: string[] = [];
    for await (const line of createInterface({ input: other.stderr })) output.push(line);
    expect(output.join("\n")).toContain("event-log/locked");
    await first.append([2]);
    await first[Symbol.asyncDispose]();
    await using second = await place.open();
    expect(second.head().size).toBe(2);
  });
});
