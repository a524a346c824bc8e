import type { Clock, Logger, PeerId, Signer } from "@chorus/kernel";
import { signApproval, signBallot, signTransfer } from "./certificate.ts";
import type { ElectedLog, VoteStore } from "./contract.ts";
import { type Effect, type Input, type State, wakeAt } from "./core/state.ts";
import { step } from "./core/step.ts";
import type { SuspendWatch } from "./suspend-watch.ts";
import type { Message } from "./wire.ts";

type Question = Extract<Effect, { kind: "read-log" | "check-log" | "check-commit" }>;
type Signing = Extract<Effect, { kind: "vote" | "approve" | "transfer" }>;

/** Effects that need no answer. */
export type Outgoing = Exclude<Effect, Question | Signing | { kind: "persist" }>;

/** What the driver needs to carry out effects. */
export interface DriverPorts {
  readonly clock: Clock;
  readonly suspends: SuspendWatch;
  readonly signer: Signer;
  readonly store: VoteStore;
  readonly log?: ElectedLog;
  readonly logger: Logger;
  /** Sends, announces or reports; returns at once. */
  readonly emit: (effect: Outgoing) => void;
  /** Sends to one peer; returns at once. */
  readonly send: (to: PeerId, message: Message) => void;
  /** Called when all effects of a step are done. */
  readonly publish: (state: State) => void;
}

/** Feeds one input at a time to {@link step} and does what it says. */
export interface Driver {
  /** Resolves when the input's effects are done. */
  push(input: Input): Promise<void>;
  stop(): Promise<void>;
}

export function drive(first: State, ports: DriverPorts): Driver {
  return new StepDriver(first, ports);
}

interface Waiting {
  readonly input: Input;
  readonly done: () => void;
}

class StepDriver implements Driver {
  readonly #ports: DriverPorts;
  readonly #waiting: Waiting[] = [];
  readonly #running: Promise<void>;
  #state: State;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(first: State, ports: DriverPorts) {
    this.#state = first;
    this.#ports = ports;
    this.#running = this.#run();
  }

  push(input: Input): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) resolve();
      else this.#waiting.push({ input, done: resolve });
      this.#wake?.();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#ports.suspends.slept()) await this.#advance({ kind: "resumed" });
      const next = this.#waiting.shift();
      const idle = wakeAt(this.#state) - this.#ports.clock.monotonic();
      if (next !== undefined) await this.#advance(next.input);
      else if (idle <= 0) await this.#advance({ kind: "tick" });
      else await this.#pause(idle);
      next?.done();
    }
    for (const { done } of this.#waiting.splice(0)) done();
  }

  async #advance(input: Input): Promise<void> {
    const { suspends, clock, publish, logger } = this.#ports;
    const { state, effects } = step(this.#state, input, clock.monotonic());
    if (input.kind === "resumed" || state.beatNumber !== this.#state.beatNumber) suspends.note();
    try {
      for (const effect of effects) {
        await this.#perform(effect);
        if (effect.kind === "persist") this.#state = state;
      }
      this.#state = state;
      publish(state);
    } catch (error) {
      // Nothing was said, so nothing was promised: the input counts as a lost message.
      logger.error("vote could not be stored", { cause: error });
      await this.#pause(state.timing.beat);
      return;
    }
    // Now everyone here knows the raised term: the log takes nothing from older admins while it looks.
    for (const effect of effects) if (isQuestion(effect)) void this.#ask(effect);
  }

  async #perform(effect: Effect): Promise<void> {
    const { store, emit } = this.#ports;
    if (effect.kind === "persist") await store.save(effect.state);
    else if (isSigning(effect)) await this.#sign(effect);
    else if (!isQuestion(effect)) emit(effect);
  }

  async #sign(effect: Signing): Promise<void> {
    const { signer, send } = this.#ports;
    const { self } = this.#state;
    if (effect.kind === "transfer") {
      const { to, term, config } = effect;
      const signature = await signTransfer({ config, term, successor: to }, signer);
      send(to, { kind: "transfer", term, signature });
    } else if (effect.kind === "vote") {
      const { candidate, term } = effect;
      const signature = await signBallot(effect, signer);
      if (candidate === self) void this.push({ kind: "own-vote", term, signature });
      else send(candidate, { kind: "vote-reply", term, granted: true, signature });
    } else {
      const { to, config, number } = effect;
      const signature = await signApproval(effect, signer);
      if (to === self) void this.push({ kind: "own-approval", config, signature });
      else send(to, { kind: "approval", config, number, signature });
    }
  }

  /** An answer that does not come is like a lost message. */
  async #ask(effect: Question): Promise<void> {
    const { log, logger } = this.#ports;
    if (log === undefined) return;
    try {
      await this.push(await answer(effect, log));
    } catch (error) {
      logger.error("log did not answer", { question: effect.kind, cause: error });
    }
  }

  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#ports.clock.sleep(ms, woken).catch(() => undefined);
    this.#wake = undefined;
  }
}

async function answer(effect: Question, log: ElectedLog): Promise<Input> {
  if (effect.kind === "read-log") return { kind: "log-position", term: effect.term, last: await log.last() };
  if (effect.kind === "check-commit") {
    const { term } = effect;
    return { kind: "commit-verdict", term, committed: await log.isCommittedIn(term) };
  }
  const { question } = effect;
  const granted = await log.mayVoteFor(question.candidate, question.last);
  return { kind: "log-verdict", question, granted };
}

function isQuestion(effect: Effect): effect is Question {
  return effect.kind === "read-log" || effect.kind === "check-log" || effect.kind === "check-commit";
}

function isSigning(effect: Effect): effect is Signing {
  return effect.kind === "vote" || effect.kind === "approve" || effect.kind === "transfer";
}
