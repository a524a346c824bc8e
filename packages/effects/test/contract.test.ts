import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Cid, cidOf, type Clean } from "@chorus/kernel";
import { beforeEach, describe, expect, it } from "vitest";
import type { OnStep, PublishPort } from "../src/contract.ts";
import { fileDelivery } from "../src/file-delivery.ts";
import { gitPush } from "../src/git-push.ts";
import { httpCall } from "../src/http-call.ts";
import { type EffectorBench, effectorContract, permitted } from "../src/testing/index.ts";
import { ucxlPublish } from "../src/ucxl-publish.ts";
import type { Order } from "./fixtures/child.ts";
import { gitMissing, gitServer, patch, repository, temporary } from "./fixtures/git-server.ts";
import { httpTarget } from "./fixtures/http-server.ts";
import { killedAt } from "./fixtures/killed.ts";

interface Bench extends EffectorBench {
  /** What a process of its own needs for the same target. */
  order(): Pick<Order, "effector" | "options">;
}

type Setup = () => Promise<Bench & AsyncDisposable>;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function gitBench(transport: "file" | "http"): Promise<Bench & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const { folder } = stack.use(temporary());
  const served = repository(folder);
  const server = stack.use(await gitServer(folder));
  server.authorization = `Basic ${Buffer.from("agent:word-0123").toString("base64")}`;
  const url = transport === "file" ? served.fileUrl : `${server.url}/app.git`;
  const options = {
    allow: [{ url, ...(transport === "http" ? { credential: "forge" } : {}) }],
    credentials: { forge: { kind: "basic", user: "agent", password: "word-0123" } },
  } as const;
  let agents = 0;
  const owned = stack.move();
  return {
    agent: ({ onStep }: { onStep?: OnStep } = {}) =>
      gitPush({ ...options, directory: join(folder, `agent-${++agents}`), ...(onStep ? { onStep } : {}) }),
    effect: () => ({ kind: "git-push", target: `${url}#refs/heads/main` }),
    payload: (variant) => patch(`file-${variant}.txt`),
    count: async (key) => served.count(key),
    isVisible: true,
    steps: ["look", "commit", "push", "pushed"],
    order: () => ({
      effector: "git-push",
      options: { ...options, directory: join(folder, `child-${++agents}`) },
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function httpBench(lookup: boolean): Promise<Bench & AsyncDisposable> {
  const target = await httpTarget();
  const rule = { url: `${target.url}/orders/*`, idempotent: true };
  const options = { allow: [lookup ? { ...rule, lookup: `${target.url}/effects/{key}` } : rule] };
  return {
    agent: ({ onStep }: { onStep?: OnStep } = {}) => httpCall({ ...options, ...(onStep ? { onStep } : {}) }),
    effect: () => ({ kind: "http", target: `POST ${target.url}/orders/new` }),
    payload: (variant) => text(`order ${variant}`),
    count: async (key) => target.effects.get(key) ?? 0,
    isVisible: lookup,
    steps: ["send", "answered"],
    order: () => ({ effector: "http", options }),
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

async function fileBench(): Promise<Bench & AsyncDisposable> {
  const place = temporary();
  const base = join(place.folder, "out");
  mkdirSync(base);
  const options = { bases: [base] };
  const delivered = new Map<string, number>();
  return {
    agent: ({ onStep }: { onStep?: OnStep } = {}) =>
      fileDelivery({ ...options, ...(onStep ? { onStep } : {}) }),
    effect: (ordinal) => ({
      kind: "file-delivery",
      target: pathToFileURL(join(base, `report-${ordinal}.txt`)).href,
    }),
    payload: (variant) => text(`report ${variant}\n`),
    async count(key) {
      // One key, one name: the file is whole or not there.
      for (const ordinal of [0, 1, 2])
        delivered.set(
          permittedKey(ordinal),
          readdirSync(base).filter((name) => name === `report-${ordinal}.txt`).length,
        );
      for (const name of readdirSync(base).filter((one) => one.endsWith(".txt")))
        expect(readFileSync(join(base, name), "utf8")).toMatch(/^report \d\n$/);
      return delivered.get(key) ?? 0;
    },
    isVisible: true,
    steps: ["write", "publish", "published"],
    order: () => ({ effector: "file-delivery", options }),
    [Symbol.asyncDispose]: async () => place[Symbol.dispose](),
  };
}

function permittedKey(ordinal: number): string {
  const bench = { effect: () => ({ kind: "", target: "" }), payload: () => text("") };
  return permitted(bench as unknown as EffectorBench, ordinal).effect.key;
}

/** The mesh's storage as far as publishing sees it: the first author of a version keeps it. */
function memoryStorage(): PublishPort & {
  readonly heads: Map<string, Cid>;
  readonly blocks: Map<Cid, Uint8Array>;
} {
  const heads = new Map<string, Cid>();
  const blocks = new Map<Cid, Uint8Array>();
  return {
    heads,
    blocks,
    async put(bytes, { codec }) {
      const cid = await cidOf(bytes, codec);
      blocks.set(cid, bytes);
      return { cid };
    },
    async putHead({ lane, seq, cid }) {
      expect(seq).toBe(1);
      const before = heads.get(lane);
      if (before !== undefined && before !== cid) throw new Error("another head has this number");
      heads.set(lane, cid);
    },
    async head(lane) {
      const cid = heads.get(lane);
      return cid === undefined ? undefined : { seq: 1, cid };
    },
  };
}

async function publishBench(): Promise<Bench & AsyncDisposable> {
  const storage = memoryStorage();
  const pass = (bytes: Uint8Array): Clean<Uint8Array> => bytes as Clean<Uint8Array>;
  const stepped = (onStep: OnStep): PublishPort => ({
    put: async (bytes, options) => {
      await onStep(`put ${options.codec}`);
      return storage.put(bytes, options);
    },
    putHead: async (head, options) => {
      await onStep("head");
      await storage.putHead(head, options);
    },
    head: (lane, options) => storage.head(lane, options),
  });
  return {
    agent: ({ onStep = () => undefined }: { onStep?: OnStep } = {}) =>
      ucxlPublish({ storage: stepped(onStep), redactor: { pass } }),
    effect: () => ({ kind: "ucxl-publish", target: "ucxl://app/build/report" }),
    payload: (variant) => text(`page ${variant}`),
    count: async (key) => [...storage.heads.keys()].filter((lane) => lane.endsWith(key.slice(0, 48))).length,
    isVisible: true,
    steps: ["put raw", "put dag-cbor", "head"],
    order: () => {
      throw new Error("its storage lives in this process");
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const benches: readonly (readonly [string, Setup])[] = [
  ["git push to a file", () => gitBench("file")],
  ["git push over HTTP", () => gitBench("http")],
  ["HTTP call that can be looked up", () => httpBench(true)],
  ["HTTP call that can be repeated", () => httpBench(false)],
  ["file delivery", fileBench],
  ["publication", publishBench],
];

beforeEach(({ skip, task }) => {
  const needsGit = `${task.suite?.name} ${task.name}`.includes("git push");
  skip(gitMissing && needsGit, "git is not installed");
});

describe.each(benches)("%s", (_name, setup) => {
  it.each(effectorContract)("$name", async ({ run }) => {
    await using bench = await setup();
    await run(bench);
  });
});

const processes = benches.filter(([name]) => name !== "publication");

it.each(processes)(
  "tells the truth when the process of a %s was killed at any step",
  async (_name, setup) => {
    await using bench = await setup();
    const signal = new AbortController().signal;
    for (const [ordinal, stopAt] of bench.steps.entries()) {
      const { effect, payload } = permitted(bench, ordinal, { variant: ordinal });
      const order = bench.order();
      await killedAt({ ...order, effect, payload: Buffer.from(payload).toString("base64"), stopAt });
      const successor = bench.agent();
      const truth = (await bench.count(effect.key)) === 1 ? "done" : "absent";
      const { status } = await successor.resolve(effect, { signal });
      expect([stopAt, status]).toEqual([stopAt, bench.isVisible ? truth : "repeatable"]);
      await successor.act(effect, payload, { signal });
      expect([stopAt, await bench.count(effect.key)]).toEqual([stopAt, 1]);
    }
  },
  120_000,
);
