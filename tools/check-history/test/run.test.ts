import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runCheck } from "../run.ts";

const GOOD = [
  { kind: "call", at: 1, call: "c", peer: "0", key: "k" },
  { kind: "answer", at: 2, call: "c", status: "committed", task: "t" },
  { kind: "life", at: 0, peer: "0", life: 1 },
  { kind: "event", at: 1, peer: "0", life: 1, event: { taskId: "t", seq: 1, type: "task-submitted" } },
  { kind: "event", at: 1, peer: "0", life: 1, event: { taskId: "t", seq: 2, type: "task-canceled" } },
  { kind: "end", at: 3, peers: ["0"] },
];

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "check-history-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function checked(records: readonly object[]): { code: number; lines: readonly string[] } {
  mkdirSync(join(folder, "peer"));
  writeFileSync(
    join(folder, "peer", "history.jsonl"),
    records.map((record) => `${JSON.stringify(record)}\n`).join(""),
  );
  writeFileSync(join(folder, "notes.txt"), "not ours");
  const lines: string[] = [];
  return { code: runCheck([folder], (line) => lines.push(line)), lines };
}

it("ends with the number of violations and with exit code 0 when there are none", () => {
  const { code, lines } = checked(GOOD);
  expect([code, lines.at(-1)]).toEqual([0, "violations: 0"]);
  expect(lines.at(-2)).toMatch(/^judged: files 1, calls 1, acknowledged 1, pending 0, tasks 1, events 2,/);
});

it("names each violation and ends with exit code 1", () => {
  const { code, lines } = checked(GOOD.filter((_, index) => index !== 4));
  expect(code).toBe(1);
  expect(lines[0]).toBe("what is acknowledged ends: task t (k) was acknowledged and has not ended at peer 0");
  expect(lines.at(-1)).toBe("violations: 1");
});

it.each([
  ["no file", [] as string[], /^usage: check-history FILE/],
  ["a missing file", ["/nonexistent.jsonl"], /ENOENT/],
])("cannot judge %s", (_, paths, message) => {
  const lines: string[] = [];
  expect(runCheck(paths, (line) => lines.push(line))).toBe(2);
  expect(lines[0]).toMatch(message);
});

it("does not call an empty history good", () => {
  expect(checked([]).code).toBe(2);
});
