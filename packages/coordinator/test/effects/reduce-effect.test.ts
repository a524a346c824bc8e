import { createSigner, type PeerId } from "@chorus/kernel";
import { beforeAll, describe, expect, it } from "vitest";
import type { TaskCommand } from "../../src/command.ts";
import type { EffectRecord } from "../../src/contract-effects.ts";
import type { CommandResult, TaskRecord } from "../../src/contract-ports.ts";
import type { Token } from "../../src/contract-task.ts";
import { reduceTask } from "../../src/core/reduce-task.ts";
import { effectKeyOf } from "../../src/effects/effect-key.ts";
import { taskIdOf } from "../../src/task-id.ts";
import { parseTask } from "../../src/task-spec.ts";

const peers: PeerId[] = [];
beforeAll(async () => {
  for (const seed of [1, 2]) peers.push((await createSigner(new Uint8Array(32).fill(seed))).peer);
});

const id = taskIdOf("ada", "1");
const tell = {
  slot: "tell",
  kind: "http",
  target: "https://shop.example/*/new",
  payload: "m*",
  times: 2,
} as const;
const key = effectKeyOf(id, "tell", 0);
const digest = (n: number): string => String(n).repeat(64);

/** One task in a ledger of its own: each command is the next entry. */
class Ledger {
  task: TaskRecord | undefined;
  index = 0;
  token: Token = { term: 0, index: 0 };

  constructor(approval: "none" | "human" = "none") {
    const spec = parseTask({ goal: "g", attempts: 5, effects: [{ ...tell, approval }] });
    this.order(0, { type: "task-submit", principal: "ada", key: "1", spec });
  }

  order(peer: number, command: TaskCommand): CommandResult {
    this.index++;
    const context = { term: 1, index: this.index, from: peers[peer]!, ts: 1000 * this.index };
    const { task, result } = reduceTask(this.task, command, context);
    this.task = task;
    return result;
  }

  /** The task goes to a peer, under a new token. */
  claim(peer: number): Token {
    const lease = this.task?.lease;
    if (lease !== undefined)
      this.order(peer, {
        type: "task-expire",
        task: id,
        token: lease.token,
        renewal: lease.renewal,
        cause: "lapsed",
      });
    this.order(peer, {
      type: "task-claim",
      task: id,
      capabilities: ["effect:http"],
      ttlMs: 5000,
      session: "s",
    });
    this.token = { term: 1, index: this.index };
    return this.token;
  }

  intend(
    peer: number,
    change: { target?: string; n?: number; ordinal?: number; token?: Token; slot?: string } = {},
  ) {
    const {
      target = "https://shop.example/a/new",
      n = 1,
      ordinal = 0,
      token = this.token,
      slot = "tell",
    } = change;
    return this.order(peer, {
      type: "effect-intent",
      task: id,
      token,
      slot,
      ordinal,
      target,
      digest: digest(n),
    });
  }

  effect(): EffectRecord | undefined {
    return this.task?.effects?.find((one) => one.key === key);
  }
}

const receipt = { reference: "made" };

describe("an intent", () => {
  it("is permitted to the holder alone, for what the task declares", () => {
    const ledger = new Ledger();
    const old = ledger.claim(0);
    ledger.claim(1);
    const refusal = (result: CommandResult): unknown =>
      result.status === "refused" ? result.refusal : "none";
    expect(refusal(ledger.intend(0))).toBe("fenced");
    expect(refusal(ledger.intend(0, { token: old }))).toBe("fenced");
    expect(refusal(ledger.intend(1, { slot: "other" }))).toBe("not-declared");
    expect(refusal(ledger.intend(1, { ordinal: 2 }))).toBe("not-declared");
    for (const target of [
      "https://shop.example/new",
      "https://evil.example/a/new",
      "https://shop.example/a/new?x",
    ])
      expect([target, refusal(ledger.intend(1, { target }))]).toEqual([target, "not-declared"]);
    expect(ledger.task?.effects).toBeUndefined();
    expect(ledger.intend(1)).toMatchObject({ status: "applied", effect: { state: "permitted", key } });
    // The answer got lost: the same permit, no second event.
    const before = ledger.task?.events.length;
    expect(ledger.intend(1)).toMatchObject({ effect: { state: "permitted" } });
    expect(ledger.task?.events.length).toBe(before);
  });

  it("of a successor keeps target and time, knows the former digests, and has to look first", () => {
    const ledger = new Ledger();
    ledger.claim(0);
    ledger.intend(0);
    const at = ledger.effect()?.at;
    ledger.claim(1);
    const answer = ledger.intend(1, { target: "https://shop.example/b/new", n: 2 });
    expect(answer).toMatchObject({ resolveFirst: true });
    expect(ledger.effect()).toMatchObject({
      target: "https://shop.example/a/new",
      digest: digest(2),
      earlier: [digest(1)],
      tried: true,
      at,
      by: peers[1],
    });
  });

  it("for what is done is answered with its receipt, whatever it wants to send", () => {
    const ledger = new Ledger();
    const token = ledger.claim(0);
    ledger.intend(0);
    ledger.order(0, { type: "effect-receipt", task: id, token, key, receipt });
    ledger.claim(1);
    expect(ledger.intend(1, { n: 3 })).toMatchObject({
      effect: { state: "done", receipt, digest: digest(1) },
    });
  });

  it("for what the target refused is free again, without a look", () => {
    const ledger = new Ledger();
    ledger.claim(0);
    ledger.intend(0);
    ledger.order(0, { type: "effect-void", task: id, key, reason: "closed" });
    expect(ledger.effect()).toMatchObject({ state: "void", reason: "closed" });
    ledger.claim(1);
    expect(ledger.intend(1)).not.toHaveProperty("resolveFirst");
    expect(ledger.effect()).toMatchObject({ state: "permitted" });
    expect(ledger.effect()).not.toHaveProperty("tried");
  });
});

describe("a receipt", () => {
  it("is a fact from the peer that held the permit, also when its lease is gone", () => {
    const ledger = new Ledger();
    const token = ledger.claim(0);
    ledger.intend(0);
    const { lease } = ledger.task!;
    ledger.order(1, { type: "task-expire", task: id, token, renewal: lease!.renewal, cause: "lapsed" });
    expect(ledger.order(1, { type: "effect-receipt", task: id, token, key, receipt })).toMatchObject({
      refusal: "fenced",
    });
    ledger.order(0, { type: "effect-receipt", task: id, token, key, receipt });
    expect(ledger.effect()?.state).toBe("done");
  });

  it("under an old permit is left to the successor, who looks", () => {
    const ledger = new Ledger();
    const token = ledger.claim(0);
    ledger.intend(0);
    ledger.claim(1);
    ledger.intend(1);
    expect(ledger.order(0, { type: "effect-receipt", task: id, token, key, receipt })).toMatchObject({
      refusal: "fenced",
    });
  });

  it("has to be there before the task may succeed", () => {
    const ledger = new Ledger();
    const token = ledger.claim(0);
    ledger.intend(0);
    const result = { outcome: "succeeded" } as unknown as Extract<
      TaskCommand,
      { type: "task-complete" }
    >["result"];
    expect(ledger.order(0, { type: "task-complete", task: id, token, result })).toMatchObject({
      refusal: "effects-open",
    });
    ledger.order(0, { type: "effect-receipt", task: id, token, key, receipt });
    expect(ledger.order(0, { type: "task-complete", task: id, token, result })).toMatchObject({
      state: "completed",
    });
  });
});

describe("void", () => {
  it("is the word of the current holder while the task lives", () => {
    const ledger = new Ledger();
    ledger.claim(0);
    ledger.intend(0);
    const gone = { type: "effect-void", task: id, key, reason: "r" } as const;
    expect(ledger.order(1, gone)).toMatchObject({ refusal: "fenced" });
    ledger.claim(1);
    expect(ledger.order(0, gone)).toMatchObject({ refusal: "fenced" });
    expect(ledger.order(1, gone)).toMatchObject({ refusal: "fenced" });
  });

  it("is anybody's finding after the end, and a late receipt beats it", () => {
    const ledger = new Ledger();
    const token = ledger.claim(0);
    ledger.intend(0);
    ledger.order(1, { type: "task-cancel", task: id, reason: "r" });
    ledger.order(1, { type: "effect-void", task: id, key, reason: "r" });
    expect(ledger.effect()).toMatchObject({ state: "void" });
    ledger.order(0, { type: "effect-receipt", task: id, token, key, receipt });
    expect(ledger.effect()).toMatchObject({ state: "done", receipt });
    expect(ledger.order(1, { type: "effect-void", task: id, key, reason: "r" })).toMatchObject({
      refusal: "effect-settled",
    });
  });
});

it("is told by a late receipt also when the task completed without the effect", () => {
  const ledger = new Ledger();
  const old = ledger.claim(0);
  ledger.intend(0);
  const token = ledger.claim(1);
  ledger.intend(1);
  ledger.order(1, { type: "effect-void", task: id, key, reason: "not wanted any more" });
  const result = { outcome: "succeeded" } as unknown as Extract<
    TaskCommand,
    { type: "task-complete" }
  >["result"];
  ledger.order(1, { type: "task-complete", task: id, token, result });
  expect(ledger.task?.state).toBe("completed");
  ledger.order(0, { type: "effect-receipt", task: id, token: old, key, receipt });
  expect([ledger.task?.state, ledger.effect()?.state]).toEqual(["completed", "done"]);
});

describe("a person's agreement", () => {
  it("is for the bytes that were shown", () => {
    const ledger = new Ledger("human");
    ledger.claim(0);
    expect(ledger.intend(0)).toMatchObject({
      state: "input-required",
      effect: { state: "awaiting-approval" },
    });
    ledger.order(1, { type: "effect-decide", task: id, key, decision: "repeat", reason: "yes" });
    expect([ledger.task?.state, ledger.effect()?.state]).toEqual(["working", "permitted"]);
    ledger.claim(1);
    // The same bytes: agreed to already, but somebody may have sent them.
    expect(ledger.intend(1, { n: 1 })).toMatchObject({ resolveFirst: true, effect: { state: "permitted" } });
    ledger.claim(0);
    expect(ledger.intend(0, { n: 2 })).toMatchObject({ effect: { state: "awaiting-approval", tried: true } });
  });

  it("does not bring back what was done meanwhile", () => {
    const ledger = new Ledger("human");
    ledger.claim(0);
    ledger.intend(0);
    expect(
      ledger.order(0, { type: "effect-receipt", task: id, token: ledger.token, key, receipt }),
    ).toMatchObject({
      refusal: "effect-settled",
    });
  });
});
