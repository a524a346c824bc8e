import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { errorCode, type Clean } from "@chorus/kernel";
import type { Effect, Effector, OnStep } from "../contract.ts";

/** One target and the agents that may act on it. */
export interface EffectorBench {
  /** An agent of its own, as on another machine. */
  agent(options?: { readonly onStep?: OnStep }): Effector;
  /** An effect on the target; different ordinals are different effects. */
  effect(ordinal: number): Pick<Effect, "kind" | "target"> & Partial<Effect>;
  /** Something that may be sent; another variant is what another attempt's run made. */
  payload(variant: number): Uint8Array;
  /** How often the target shows the effect. */
  count(key: string): Promise<number>;
  /** True when effects can be seen at the target; else it only promises that they can be repeated. */
  readonly isVisible: boolean;
  /** Steps of an act, in order, at which an agent may stand still or die. */
  readonly steps: readonly string[];
}

/** One thing that every effector does. Rejects when the one under test does not. */
export interface EffectorCase {
  readonly name: string;
  readonly run: (bench: EffectorBench) => Promise<void>;
}

const signal = new AbortController().signal;

/** Test data stands in for what a scanner has passed. */
export function cleaned(bytes: Uint8Array): Clean<Uint8Array> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- test data holds no secret
  return bytes as Clean<Uint8Array>;
}

/** The bench's effect, permitted for a payload. */
export function permitted(
  bench: EffectorBench,
  ordinal: number,
  { variant = 0, earlier = [] }: { readonly variant?: number; readonly earlier?: readonly number[] } = {},
): { readonly effect: Effect; readonly payload: Clean<Uint8Array> } {
  const payload = bench.payload(variant);
  const effect = {
    key: base32(createHash("sha256").update(`contract ${ordinal}`).digest()),
    taskId: base32(createHash("sha256").update("task").digest()),
    slot: "slot",
    ordinal,
    digest: hex(payload),
    earlier: earlier.map((one) => hex(bench.payload(one))),
    at: 1_700_000_000_000,
    ...bench.effect(ordinal),
  };
  return { effect, payload: cleaned(payload) };
}

/** The promises of every effector; each case wants a target that shows nothing yet. */
export const effectorContract: readonly EffectorCase[] = [
  {
    name: "does not say done before it acted",
    async run(bench) {
      const { effect } = permitted(bench, 0);
      const { status } = await bench.agent().resolve(effect, { signal });
      strictEqual(status, bench.isVisible ? "absent" : "repeatable");
      strictEqual(await bench.count(effect.key), 0);
    },
  },
  {
    name: "acts once when it is asked twice",
    async run(bench) {
      const { effect, payload } = permitted(bench, 0);
      const agent = bench.agent();
      const first = await agent.act(effect, payload, { signal });
      const second = await agent.act(effect, payload, { signal });
      strictEqual(first.reference, second.reference);
      strictEqual(await bench.count(effect.key), 1);
      await showsDone(bench, effect, first.reference);
    },
  },
  {
    name: "acts once when another agent goes on with another payload",
    async run(bench) {
      const first = permitted(bench, 0);
      await bench.agent().act(first.effect, first.payload, { signal });
      const second = permitted(bench, 0, { variant: 1, earlier: [0] });
      await bench
        .agent()
        .act(second.effect, second.payload, { signal })
        .catch(() => undefined);
      strictEqual(await bench.count(first.effect.key), 1);
    },
  },
  {
    name: "acts once when agents act at the same time",
    async run(bench) {
      const { effect, payload } = permitted(bench, 0);
      const agents = [bench.agent(), bench.agent(), bench.agent()];
      const receipts = await Promise.allSettled(
        agents.map((agent) => agent.act(effect, payload, { signal })),
      );
      ok(receipts.some(({ status }) => status === "fulfilled"));
      strictEqual(await bench.count(effect.key), 1);
    },
  },
  {
    name: "acts for each ordinal",
    async run(bench) {
      const agent = bench.agent();
      for (const ordinal of [0, 1]) {
        const { effect, payload } = permitted(bench, ordinal, { variant: ordinal });
        await agent.act(effect, payload, { signal });
      }
      for (const ordinal of [0, 1])
        strictEqual(await bench.count(permitted(bench, ordinal).effect.key), 1, `ordinal ${ordinal}`);
    },
  },
  {
    name: "does nothing twice when a predecessor wakes up at any step",
    async run(bench) {
      for (const [ordinal, step] of bench.steps.entries()) await wakeLate(bench, ordinal, step);
    },
  },
  {
    name: "tells the truth when it broke off at any step, and goes on",
    async run(bench) {
      for (const [ordinal, step] of bench.steps.entries()) await breakOff(bench, ordinal, step);
    },
  },
  {
    name: "does nothing when it was cancelled before",
    async run(bench) {
      const { effect, payload } = permitted(bench, 0);
      const reason = new Error("enough");
      const cancelled = { signal: AbortSignal.abort(reason) };
      await rejects(bench.agent().act(effect, payload, cancelled), reason);
      await rejects(bench.agent().resolve(effect, cancelled), reason);
      strictEqual(await bench.count(effect.key), 0);
    },
  },
  {
    name: "names what is wrong with an effect, and does nothing",
    async run(bench) {
      const { effect, payload } = permitted(bench, 0);
      const wrong: readonly (readonly [string, Partial<Effect>])[] = [
        ["kind", { kind: "other" }],
        ["key", { key: "not a key" }],
        ["target", { target: "nonsense" }],
        ["options.nonsense", { options: { nonsense: "1" } }],
        ["payload", { digest: "0".repeat(64) }],
      ];
      for (const [field, change] of wrong) {
        const broken = { ...effect, ...change };
        const error: unknown = await bench
          .agent()
          .act(broken, payload, { signal })
          .catch((thrown: unknown) => thrown);
        strictEqual(errorCode(error), "effects/invalid-effect", field);
        deepStrictEqual(error instanceof Error && "detail" in error && error.detail, {
          field,
          problem: error instanceof Error ? error.message.slice(field.length + 1) : "",
        });
      }
      strictEqual(await bench.count(effect.key), 0);
    },
  },
];

/** A predecessor stands still at a step, its successor acts, then it goes on: SIGSTOP past the lease, and SIGCONT. */
async function wakeLate(bench: EffectorBench, ordinal: number, step: string): Promise<void> {
  const reached = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  const predecessor = bench.agent({
    onStep(name) {
      if (name !== step) return undefined;
      reached.resolve();
      return woken.promise;
    },
  });
  const old = permitted(bench, ordinal, { variant: ordinal * 2 });
  const acted = predecessor.act(old.effect, old.payload, { signal }).catch(() => undefined);
  await reached.promise;
  const next = permitted(bench, ordinal, { variant: ordinal * 2 + 1, earlier: [ordinal * 2] });
  const successor = bench.agent();
  const { status } = await successor.resolve(next.effect, { signal });
  if (status !== "done") await successor.act(next.effect, next.payload, { signal }).catch(() => undefined);
  woken.resolve();
  await acted;
  strictEqual(await bench.count(old.effect.key), 1, `after ${step}`);
}

async function breakOff(bench: EffectorBench, ordinal: number, step: string): Promise<void> {
  const broken = new Error(`broke off at ${step}`);
  const { effect, payload } = permitted(bench, ordinal, { variant: ordinal });
  const onStep = (name: string): void => {
    if (name === step) throw broken;
  };
  await rejects(bench.agent({ onStep }).act(effect, payload, { signal }), broken);
  const happened = (await bench.count(effect.key)) === 1;
  const { status } = await bench.agent().resolve(effect, { signal });
  const truth = happened ? "done" : "absent";
  strictEqual(status, bench.isVisible ? truth : "repeatable", `after ${step}`);
  await bench.agent().act(effect, payload, { signal });
  strictEqual(await bench.count(effect.key), 1, `after ${step}`);
}

async function showsDone(bench: EffectorBench, effect: Effect, reference: string): Promise<void> {
  const resolution = await bench.agent().resolve(effect, { signal });
  if (!bench.isVisible) strictEqual(resolution.status, "repeatable");
  else strictEqual(resolution.status === "done" && resolution.receipt.reference, reference);
}

function hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0"))
    .join("")
    .padEnd(260, "0");
  const groups = bits.match(/.{5}/g) ?? [];
  return groups.map((group) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(group, 2)]).join("");
}
