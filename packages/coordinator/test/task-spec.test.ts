import { createHash } from "node:crypto";
import { cidFromDigest } from "@chorus/kernel";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isCapable } from "../src/capability.ts";
import { isTaskId, taskIdOf } from "../src/task-id.ts";
import type { TaskSpec } from "../src/contract-task.ts";
import { parseTask, specBytesOf } from "../src/task-spec.ts";

const address = `ucxl://${cidFromDigest(new Uint8Array(32), "raw")}`;

it("fills in what was left out", () => {
  expect(parseTask({ goal: "g" })).toEqual({ goal: "g", project: "default", attempts: 3 });
});

it("takes everything a task may have, and is the same when read again", () => {
  const input = {
    goal: "Fix the rounding",
    project: "demo",
    name: "fix-rounding",
    commands: [{ run: "python -m unittest -v", allowFailure: true, timeoutMs: 60_000 }],
    inputs: [{ name: "source", address, mediaType: "application/x-tar" }],
    requirements: {
      language: "python",
      isolation: "container",
      memoryBytes: 268_435_456,
      cpus: 1,
      timeoutMs: 1000,
    },
    attempts: 1,
    labels: { team: "core" },
  };
  const spec = parseTask(input);
  expect(spec).toEqual(input);
  expect(parseTask(spec)).toEqual(spec);
});

it.each<[string, unknown, string, string]>([
  ["no object", "do it", "", "object"],
  ["no goal", {}, "/goal", "is missing"],
  ["an empty goal", { goal: "" }, "/goal", "Too small"],
  ["a goal that is too long", { goal: "x".repeat(4097) }, "/goal", "Too big"],
  ["an unknown field", { goal: "g", prio: 1 }, "/prio", "is unknown"],
  [
    "an unknown field inside",
    { goal: "g", commands: [{ run: "x", "a/b": 1 }] },
    "/commands/0/a~1b",
    "is unknown",
  ],
  ["a wrong type", { goal: "g", commands: [{ run: 7 }] }, "/commands/0/run", "string"],
  ["a project that is no UCXL name", { goal: "g", project: "Demo!" }, "/project", "must be 1 to 48"],
  [
    "too many commands",
    { goal: "g", commands: Array.from({ length: 33 }, () => ({ run: "x" })) },
    "/commands",
    "Too big",
  ],
  ["too many attempts", { goal: "g", attempts: 11 }, "/attempts", "Too big"],
  ["a fraction", { goal: "g", requirements: { cpus: 0.5 } }, "/requirements/cpus", "int"],
  [
    "an address by name",
    { goal: "g", inputs: [{ name: "source", address: "http://x", mediaType: "a/b" }] },
    "/inputs/0/address",
    "content id",
  ],
  [
    "one input twice",
    { goal: "g", inputs: [1, 2].map(() => ({ name: "source", address, mediaType: "a/b" })) },
    "/inputs",
    "different names",
  ],
  ["a script that is not NFC", { goal: "g", commands: [{ run: "echo e\u0301" }] }, "/commands/0/run", "NFC"],
  ["broken text", { goal: "g\uD800" }, "/goal", "well-formed"],
  [
    "more than one ledger entry holds",
    { goal: "g", commands: [1, 2].map(() => ({ run: "x".repeat(8000) })) },
    "",
    "over 12288",
  ],
])("refuses %s and names the field", (_name, input, pointer, detail) => {
  let thrown: unknown;
  try {
    parseTask(input);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "coordinator/invalid-task", retryable: false });
  expect((thrown as { detail: { errors: unknown } }).detail.errors).toEqual([
    { pointer, detail: expect.stringContaining(detail) as string },
  ]);
});

it("names every wrong field at once", () => {
  expect(() => parseTask({ goal: "", attempts: 0, extra: 1 })).toThrow(/\/goal.*\/attempts.*\/extra/);
});

it("normalises what people write, so that one text is one task", () => {
  expect(specBytesOf(parseTask({ goal: "cafe\u0301" }))).toEqual(
    specBytesOf(parseTask({ goal: "caf\u00e9" })),
  );
});

it("never lets anything but InvalidTaskError out", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (input) => {
      try {
        parseTask(input);
      } catch (error) {
        expect(error).toMatchObject({ code: "coordinator/invalid-task" });
      }
    }),
  );
});

it("names a task by principal and key, unambiguously", () => {
  const id = taskIdOf("ada", "1");
  expect(isTaskId(id)).toBe(true);
  expect(taskIdOf("ada", "1")).toBe(id);
  expect(taskIdOf("ada1", "")).not.toBe(taskIdOf("ada", "1"));
  // The digest read back with another implementation of base32.
  const digest = createHash("sha256").update("ada\u00001").digest();
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const five = bits.match(/.{1,5}/g)!.map((group) => Number.parseInt(group.padEnd(5, "0"), 2));
  expect(id).toBe(five.map((value) => "abcdefghijklmnopqrstuvwxyz234567"[value]).join(""));
});

it.each<[readonly string[], TaskSpec["requirements"], boolean]>([
  [[], undefined, true],
  [["isolation:simulated"], { isolation: "simulated" }, true],
  [["isolation:container"], { isolation: "simulated" }, true],
  [["isolation:simulated"], { isolation: "container" }, false],
  [["isolation:simulated", "language:*"], { image: "python:3" }, false],
  [["language:python"], { language: "python" }, true],
  [["language:*"], { language: "python" }, true],
  [["language:go"], { language: "python" }, false],
])("knows whether %j meets %j", (capabilities, requirements, expected) => {
  expect(isCapable(capabilities, requirements === undefined ? {} : { requirements })).toBe(expected);
});
