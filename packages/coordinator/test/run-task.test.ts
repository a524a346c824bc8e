import { type Cid, cidOf, createSigner, encodeCanonical, silentLogger, systemClock } from "@chorus/kernel";
import { expect, it } from "vitest";
import type { TaskResult } from "../src/contract-task.ts";
import { type LeasedTask, type RunPorts, runTask, type Verdict } from "../src/run-task.ts";
import { taskIdOf } from "../src/task-id.ts";
import { parseTask } from "../src/task-spec.ts";
import { succeeded } from "../src/testing/index.ts";
import { fakeRedactor, signal } from "./fixtures/mesh.ts";

async function setup(verdict: Verdict = "committed") {
  const { peer: holder } = await createSigner(new Uint8Array(32).fill(1));
  const calls: string[] = [];
  const results: TaskResult[] = [];
  const task: LeasedTask = {
    id: taskIdOf("ada", "1"),
    spec: parseTask({ goal: "g" }),
    principal: "ada",
    attempt: 1,
    lease: { token: { term: 1, index: 2 }, holder, attempt: 1, ttlMs: 5000, renewal: 2, session: "s" },
  };
  const bytes = encodeCanonical({ record: true });
  const cid = await cidOf(bytes, "dag-cbor");
  const address = `ucxl://default/t/agent/${holder}/@v1`;
  const ports: RunPorts = {
    executor: {
      execute: async () => {
        calls.push("execute");
        return succeeded({ "output.log": "log", "a.txt": "a" });
      },
    },
    redactor: fakeRedactor,
    records: {
      decide: async ({ evidence }) => {
        calls.push(`decide ${evidence.map(({ rel }) => rel).join(" ")}`);
        return { cid, address, bytes, signatures: Uint8Array.of(1), head: { lane: "l", seq: 1, cid } };
      },
    },
    eventLog: { append: async () => void calls.push("append") },
    storage: {
      async put(content, { codec, class: kind }) {
        calls.push(`put ${kind}`);
        return { cid: await cidOf(content, codec), replicas: calls.length, degraded: false };
      },
      get: async (_cid: Cid) => undefined,
      putHead: async () => void calls.push("head"),
    },
    effects: {
      carryOut: async () => {
        calls.push("act");
        return [];
      },
    },
    lanes: {
      take: async (lane) => {
        calls.push(`take ${lane.slice(0, 8)}`);
        return { [Symbol.dispose]: () => void calls.push("leave") };
      },
    },
    ledger: {
      async complete(_task, result) {
        calls.push("complete");
        results.push(result);
        return verdict;
      },
    },
    pubsub: {
      publish: async () => void calls.push("publish"),
      subscribe: () => (async function* () {})(),
    },
    clock: systemClock,
    logger: silentLogger,
  };
  return { task, ports, calls, results };
}

it("goes through its ports in the order that loses nothing", async () => {
  const { task, ports, calls, results } = await setup();
  expect(await runTask(task, ports, signal)).toBe("committed");
  expect(calls).toEqual([
    "execute",
    "act",
    "take default/",
    "decide artifact log artifact",
    "append",
    "put artifact",
    "put artifact",
    "put artifact",
    "put decision",
    "put decision",
    "head",
    "complete",
    "publish",
    "leave",
  ]);
  // The weakest part tells how well the result is kept.
  expect(results[0]).toMatchObject({ replicas: 6, degraded: false });
});

it("tells nobody of a decision that was fenced", async () => {
  const { task, ports, calls } = await setup("fenced");
  expect(await runTask(task, ports, signal)).toBe("fenced");
  expect(calls.at(-2)).toBe("complete");
});

it("has committed even when the address cannot be gossiped", async () => {
  const { task, ports } = await setup();
  const pubsub = { ...ports.pubsub, publish: () => Promise.reject(new Error("no peers")) };
  expect(await runTask(task, { ...ports, pubsub }, signal)).toBe("committed");
});

it.each(["decide", "append", "put", "head"])("commits nothing when %s fails", async (step) => {
  const { task, ports, calls } = await setup();
  const fail = () => Promise.reject(new Error(`${step} failed`));
  const broken: RunPorts = {
    ...ports,
    ...(step === "decide" ? { records: { decide: fail } } : {}),
    ...(step === "append" ? { eventLog: { append: fail } } : {}),
    storage: {
      ...ports.storage,
      ...(step === "put" ? { put: fail } : {}),
      ...(step === "head" ? { putHead: fail } : {}),
    },
  };
  await expect(runTask(task, broken, signal)).rejects.toThrow(`${step} failed`);
  expect(calls).not.toContain("complete");
  expect(calls).not.toContain("publish");
});

it("names in the ledger only as many artifacts as one entry holds, and counts them all", async () => {
  const { task, ports, results } = await setup();
  const files = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`src/a-longer-name-${i}.ts`, `${i}`]),
  );
  const executor = { execute: async () => succeeded({ ...files, "report.json": "{}" }) };
  await runTask(task, { ...ports, executor }, signal);
  const [result] = results;
  expect(result?.artifactCount).toBe(301);
  expect(result?.artifacts[0]?.path).toBe("report.json");
  expect(result?.artifacts.length).toBeGreaterThan(40);
  expect(result?.artifacts.length).toBeLessThan(120);
});
