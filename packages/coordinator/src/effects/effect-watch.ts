import type { Effector, EffectKey, EffectRecord } from "../contract-effects.ts";
import type { TaskRecord } from "../contract-ports.ts";
import type { TaskId } from "../contract-id.ts";
import { isTerminal } from "../core/transitions.ts";
import type { Follower, Peer } from "../peer.ts";
import { rankOf } from "../rendezvous.ts";
import type { EffectCommand } from "./effect-commands.ts";
import { cleanReceipt, effectOf, effectorFor, isOpen } from "./effectors.ts";
import { canonicalText } from "../canonical-of.ts";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Finds out what became of permits that their tasks' ends left open: canceled, overdue, dead while somebody acted. Any
 * peer with the effector does, usually one; the ledger keeps the first word, and a receipt beats it.
 */
export class EffectWatch implements Follower {
  readonly #peer: Peer;
  readonly #watched = new Set<EffectKey>();

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  see(record: TaskRecord): void {
    if (!isTerminal(record.state)) return;
    for (const effect of record.effects?.filter(isOpen) ?? []) {
      const effector = effectorFor(this.#peer.components.effectors, effect.kind);
      if (effector === undefined || this.#watched.has(effect.key)) continue;
      this.#watched.add(effect.key);
      const work = this.#settle(record.id, effect.key, effector).finally(() =>
        this.#watched.delete(effect.key),
      );
      this.#peer.background.run("effect watch", work);
    }
  }

  /** The holder gets a lease's time to tell by itself; then the first in line looks, then the next. */
  async #settle(task: TaskId, key: EffectKey, effector: Effector): Promise<void> {
    const { components, settings, stop, proposer } = this.#peer;
    const { signer, streams, clock, logger } = components;
    const rank = rankOf(signer.peer, key, { peers: [signer.peer, ...streams.peers()] });
    let pauseMs = settings.leaseMs + rank * Math.max(settings.claimStepMs, FIRST_PAUSE_MS);
    for (let failures = 0; ; failures++) {
      await clock.sleep(pauseMs, { signal: stop });
      const record = this.#peer.record(task);
      const effect = record?.effects?.find((one) => one.key === key);
      if (record === undefined || effect === undefined || !isOpen(effect)) return;
      try {
        await proposer.insist(await this.#wordOn(record, effect, effector), stop);
        return;
      } catch (error) {
        if (stop.aborted) throw error;
        logger.debug("an open effect cannot be looked for yet", { task, key, error });
      }
      pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
    }
  }

  async #wordOn(task: TaskRecord, effect: EffectRecord, effector: Effector): Promise<EffectCommand> {
    const { redactor } = this.#peer.components;
    const about = { task: task.id, key: effect.key };
    if (effect.state === "awaiting-approval" && effect.tried !== true)
      return { type: "effect-void", ...about, reason: "the task ended before anybody agreed" };
    const { token } = effect;
    const resolution = await effector.resolve(effectOf(task, effect), { signal: this.#peer.stop });
    switch (resolution.status) {
      case "done":
        return {
          type: "effect-receipt",
          ...about,
          token,
          receipt: cleanReceipt(resolution.receipt, redactor),
        };
      case "absent":
        return { type: "effect-void", ...about, reason: "the task ended, and the target does not have it" };
      case "repeatable":
        return {
          type: "effect-uncertain",
          ...about,
          token,
          reason: "the target cannot be asked, only repeated",
        };
      case "unknown": {
        const reason = canonicalText(redactor.redactValue(resolution.reason).value, 512);
        return { type: "effect-uncertain", ...about, token, reason };
      }
    }
  }
}
