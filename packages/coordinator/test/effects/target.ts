import { createHash } from "node:crypto";
import type { Effect, Effector, Resolution } from "../../src/contract-effects.ts";
import { succeeded } from "../../src/testing/index.ts";
import { gate } from "../fixtures/mesh.ts";

/** An outside world that counts, and shows or hides what was done. */
export interface Target {
  /** How often each key really happened. */
  readonly made: Map<string, number>;
  /** What was asked of it, in order. */
  readonly calls: string[];
  /** Payloads that arrived. */
  readonly bodies: string[];
  /** What a look finds: by default the truth; else the target cannot be seen. */
  sight: "truth" | "repeatable" | "unknown" | "down";
  /** Called inside `act`, before and after it happens; it may wait or throw. */
  before: (effect: Effect) => Promise<void> | void;
  after: (effect: Effect) => Promise<void> | void;
  /** Each peer has its own hands on the one target. */
  effector(kind?: string): Effector;
  /** A place to stand still at; whoever still does at the end is let go. */
  stop(): Stop;
}

export interface Stop {
  readonly reached: Promise<void>;
  readonly here: () => Promise<void>;
  readonly wake: () => void;
}

export class RefusedByTarget extends Error {
  readonly code = "target/refused";
  readonly notDone = true;
}

/** Like a git repository: acting twice under one key is one effect, since the target itself refuses the second. */
export function target(): Target & Disposable {
  const made = new Map<string, number>();
  const stops: Stop[] = [];
  const self: Target & Disposable = {
    stop() {
      const reached = gate();
      const woken = gate();
      const one: Stop = {
        reached: reached.opened,
        wake: () => woken.open(),
        async here() {
          reached.open();
          await woken.opened;
        },
      };
      stops.push(one);
      return one;
    },
    [Symbol.dispose]: () => stops.forEach(({ wake }) => wake()),
    made,
    calls: [],
    bodies: [],
    sight: "truth",
    before: () => undefined,
    after: () => undefined,
    effector: (kind = "http") => ({
      kind,
      async resolve({ key }): Promise<Resolution> {
        self.calls.push("resolve");
        if (self.sight === "down") throw new Error("the target is down");
        if (self.sight === "unknown") return { status: "unknown", reason: "nobody can see it" };
        if (self.sight === "repeatable") return { status: "repeatable" };
        return made.has(key) ? { status: "done", receipt: { reference: `of ${key}` } } : { status: "absent" };
      },
      async act(effect, payload) {
        self.calls.push("act");
        await self.before(effect);
        if (createHash("sha256").update(payload).digest("hex") !== effect.digest)
          throw new Error("wrong bytes");
        if (self.sight !== "truth" || !made.has(effect.key)) {
          made.set(effect.key, (made.get(effect.key) ?? 0) + 1);
          self.bodies.push(Buffer.from(payload).toString());
        }
        await self.after(effect);
        return { reference: `of ${effect.key}` };
      },
    }),
  };
  return self;
}

export const slot = {
  slot: "tell",
  kind: "http",
  target: "https://shop.example/orders",
  payload: "message.json",
} as const;

/** A task with one effect, and a run that leaves its payload behind. */
export const task = { goal: "g", backoff: { firstMs: 100 }, effects: [slot] };
export const leaving =
  (text = "hello") =>
  async () =>
    succeeded({ "message.json": text });
