import { canonicalText } from "../canonical-of.ts";
import type { CleanRun } from "../clean-run.ts";
import type { Effector, EffectRecord, Receipt } from "../contract-effects.ts";
import type { CommandResult, TaskRecord } from "../contract-ports.ts";
import { LeaseLostError, RefusedError } from "../errors.ts";
import type { Follower, Peer } from "../peer.ts";
import { isRetryable } from "../proposer.ts";
import { Pulse } from "../pulse.ts";
import type { LeasedTask, RunPorts } from "../run-task.ts";
import { isSameToken } from "../core/reduced.ts";
import type { EffectCommand } from "./effect-commands.ts";
import { EffectFailedError, EffectUncertainError } from "./effect-errors.ts";
import { effectKeyOf } from "./effect-key.ts";
import { cleanReason, cleanReceipt, effectOf, effectorFor } from "./effectors.ts";
import { type PlannedEffect, planEffects } from "./plan-effects.ts";

/** Pause before the ledger is asked again that had no leader. */
const NO_LEADER_PAUSE_MS = 250;

interface Lease {
  readonly task: LeasedTask;
  readonly signal: AbortSignal;
}

/** What an intent asks for. */
type Wanted = Pick<PlannedEffect, "slot" | "ordinal" | "kind" | "target" | "digest">;

/**
 * Does outside what a task declared, each thing once: intent, permit, look, act, receipt. The only place that calls
 * effectors under a lease, with this peer's own credentials; the sandbox has neither network nor credentials.
 */
export class Mediator implements Follower, Pick<RunPorts["effects"], "carryOut"> {
  readonly #peer: Peer;
  readonly #changed = new Pulse();

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  see(): void {
    this.#changed.beat();
  }

  async carryOut(
    task: LeasedTask,
    { summary, files }: CleanRun,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly EffectRecord[]> {
    // Work that failed has nothing to show outside.
    if (summary.outcome !== "succeeded") return [];
    const lease = { task, signal };
    const planned = planEffects(task.spec, files);
    // All of it is looked through before any of it is asked for.
    for (const one of planned) this.#check(task, one);
    const done: EffectRecord[] = [];
    for (const one of planned) done.push(await this.#make(lease, one));
    await this.#settleOthers(lease, planned);
    return done;
  }

  #check(task: LeasedTask, planned: PlannedEffect): void {
    const { slot, ordinal } = planned;
    const record = {
      ...planned,
      key: effectKeyOf(task.id, slot, ordinal),
      earlier: [],
      at: this.#peer.components.clock.now(),
      state: "permitted",
      token: task.lease.token,
      by: task.lease.holder,
    } as const;
    try {
      this.#effectorOf(planned).check?.(effectOf(task, record));
    } catch (error) {
      throw this.#failed(slot, error);
    }
  }

  async #make(lease: Lease, planned: PlannedEffect): Promise<EffectRecord> {
    const permit = await this.#permit(lease, planned);
    if (permit.state === "done") return permit;
    const found = permit.tried === true ? await this.#lookFor(lease, permit) : "absent";
    if (typeof found === "object") return this.#receipt(lease, permit, found);
    const effector = this.#effectorOf(planned);
    const effect = effectOf(lease.task, permit);
    // The last thing before the act: a holder that was replaced meanwhile does not act.
    await this.#confirm(lease, permit);
    const receipt = await effector
      .act(effect, planned.payload, { signal: lease.signal })
      .catch((error: unknown) =>
        this.#afterFailure(lease, { permit, error, mayBeOthers: found === "repeatable" }),
      );
    return this.#receipt(lease, permit, receipt);
  }

  /** The ordered answer to an intent: done before, or permitted to this lease now. Waits for people, and for resumption. */
  async #permit(lease: Lease, wanted: Wanted): Promise<EffectRecord> {
    const { task, signal } = lease;
    const { slot, ordinal, target, digest } = wanted;
    const about = { task: task.id, token: task.lease.token, slot, ordinal };
    for (;;) {
      const result = await this.#order({ type: "effect-intent", ...about, target, digest }, signal);
      if (result.status === "refused") {
        if (result.refusal !== "paused") throw refused(task, result);
      } else if (result.effect?.state === "permitted" || result.effect?.state === "done")
        return result.effect;
      else if (result.effect?.state === "uncertain") throw new EffectUncertainError(slot);
      await this.#until(lease, ({ state }) => state !== "paused" && state !== "input-required");
    }
  }

  /** Whether a former holder of the permit has acted. */
  async #lookFor(lease: Lease, permit: EffectRecord): Promise<Receipt | "absent" | "repeatable"> {
    const { task, signal } = lease;
    const resolution = await this.#effectorOf(permit)
      .resolve(effectOf(task, permit), { signal })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        // The permit stays open: the next attempt looks again.
        throw this.#failed(permit.slot, error);
      });
    if (resolution.status === "done") return resolution.receipt;
    if (resolution.status === "unknown") return this.#uncertain(lease, permit, resolution.reason);
    return resolution.status;
  }

  /** A linearizable look: still our lease, still our permit, and nobody has said pause. */
  async #confirm(lease: Lease, { key }: EffectRecord): Promise<void> {
    const { task, signal } = lease;
    for (;;) {
      await this.#catchUp(lease);
      signal.throwIfAborted();
      const record = this.#peer.record(task.id);
      const effect = record?.effects?.find((one) => one.key === key);
      if (record === undefined || !isHeld(record, task) || effect?.state !== "permitted")
        throw new LeaseLostError(task.id, record?.state ?? "ready");
      if (!isSameToken(effect.token, task.lease.token)) throw new LeaseLostError(task.id, record.state);
      if (record.state !== "paused") return;
      await this.#until(lease, ({ state }) => state !== "paused");
    }
  }

  /** Everything that was ordered anywhere before now is known here afterwards. */
  async #catchUp({ task, signal }: Lease): Promise<void> {
    const { ledger, clock } = this.#peer.components;
    if (ledger.read === undefined) {
      const about = { task: task.id, token: task.lease.token };
      const { index } = await this.#peer.proposer.insist({ type: "task-renew", ...about }, signal);
      await ledger.waitFor(index, { signal });
      return;
    }
    for (;;)
      try {
        await ledger.read({ signal });
        return;
      } catch (error) {
        if (signal.aborted || !isRetryable(error)) throw error;
        await clock.sleep(NO_LEADER_PAUSE_MS, { signal });
      }
  }

  /** An act that broke off may have happened: the target is asked, memory is not. */
  async #afterFailure(
    lease: Lease,
    {
      permit,
      error,
      mayBeOthers,
    }: { readonly permit: EffectRecord; readonly error: unknown; readonly mayBeOthers: boolean },
  ): Promise<Receipt> {
    lease.signal.throwIfAborted();
    if (isNotDone(error) && !mayBeOthers) {
      const reason = cleanReason(error, this.#peer.components.redactor);
      await this.#order({ type: "effect-void", task: lease.task.id, key: permit.key, reason }, lease.signal);
      throw this.#failed(permit.slot, error);
    }
    const found = await this.#lookFor(lease, permit);
    if (typeof found === "object") return found;
    throw this.#failed(permit.slot, error);
  }

  /** A fact is told also when the lease is lost meanwhile: only the end of this process stops it. */
  async #receipt({ task, signal }: Lease, permit: EffectRecord, receipt: Receipt): Promise<EffectRecord> {
    const { components, stop } = this.#peer;
    const about = { task: task.id, token: permit.token, key: permit.key };
    const command = {
      type: "effect-receipt",
      ...about,
      receipt: cleanReceipt(receipt, components.redactor),
    } as const;
    const result = await this.#order(command, stop);
    signal.throwIfAborted();
    if (result.status === "refused") throw refused(task, result);
    return result.effect ?? permit;
  }

  async #uncertain({ task, signal }: Lease, permit: EffectRecord, why: string): Promise<never> {
    const reason = canonicalText(this.#peer.components.redactor.redactValue(why).value, 512);
    const about = { task: task.id, token: permit.token, key: permit.key };
    await this.#order({ type: "effect-uncertain", ...about, reason }, signal);
    throw new EffectUncertainError(permit.slot);
  }

  /** Permits of former attempts whose effects this run does not want: a success must not leave them open. */
  async #settleOthers(lease: Lease, planned: readonly PlannedEffect[]): Promise<void> {
    const { task, signal } = lease;
    const wanted = new Set<string>(planned.map(({ slot, ordinal }) => effectKeyOf(task.id, slot, ordinal)));
    const others = this.#peer.record(task.id)?.effects?.filter(({ key }) => !wanted.has(key)) ?? [];
    for (const other of others.filter(({ state }) => state === "permitted")) {
      const permit = await this.#permit(lease, other);
      if (permit.state === "done") continue;
      const found = await this.#lookFor(lease, permit);
      if (typeof found === "object") await this.#receipt(lease, permit, found);
      else if (found === "repeatable")
        await this.#uncertain(
          lease,
          permit,
          "a former attempt may have made it, and this one does not want it",
        );
      else {
        const reason = "a former attempt was permitted and did not make it; this one does not want it";
        await this.#order({ type: "effect-void", task: task.id, key: permit.key, reason }, signal);
      }
    }
  }

  async #order(command: EffectCommand, signal: AbortSignal): Promise<CommandResult> {
    const { index, result } = await this.#peer.proposer.insist(command, signal);
    await this.#peer.components.ledger.waitFor(index, { signal });
    return result;
  }

  async #until({ task, signal }: Lease, holds: (record: TaskRecord) => boolean): Promise<void> {
    for (;;) {
      const changed = this.#changed.next(signal);
      signal.throwIfAborted();
      const record = this.#peer.record(task.id);
      if (record !== undefined && !isHeld(record, task)) throw new LeaseLostError(task.id, record.state);
      if (record !== undefined && holds(record)) return;
      await changed;
    }
  }

  #effectorOf({ slot, kind }: Pick<Wanted, "slot" | "kind">): Effector {
    const effector = effectorFor(this.#peer.components.effectors, kind);
    if (effector === undefined) throw new EffectFailedError(slot, `this peer has no effector for ${kind}`);
    return effector;
  }

  #failed(slot: string, error: unknown): EffectFailedError {
    return new EffectFailedError(slot, cleanReason(error, this.#peer.components.redactor));
  }
}

function isHeld({ lease }: TaskRecord, { lease: ours }: LeasedTask): boolean {
  return lease !== undefined && isSameToken(lease.token, ours.token);
}

function refused(task: LeasedTask, result: Extract<CommandResult, { readonly status: "refused" }>): Error {
  const { refusal, state = "ready" } = result;
  return refusal === "fenced" ? new LeaseLostError(task.id, state) : new RefusedError(task.id, refusal);
}

/** The effector's word that the target did nothing and will not. */
function isNotDone(error: unknown): boolean {
  return error instanceof Error && "notDone" in error && error.notDone === true;
}
