import type { Clock, Logger, Signer } from "@chorus/kernel";
import { signBallot } from "./certificate.ts";
import type { VoteStore } from "./contract.ts";
import { type Effect, type Input, type State, wakeAt } from "./core/state.ts";
import { step } from "./core/step.ts";

/** Effects that need no answer. */
export type Outgoing = Exclude<Effect, { kind: "persist" | "vote" }>;

/** What the driver needs to carry out effects. */
export interface DriverPorts {
  readonly clock: Clock;
  readonly signer: Signer;
  readonly store: VoteStore;
  readonly logger: Logger;
  /** Sends, announces or reports; returns at once. */
  readonly emit: (effect: Outgoing) => void;
  /** Hands a signed vote to another candidate. */
  readonly deliverVote: (vote: Effect & { kind: "vote" }, signature: Uint8Array) => void;
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
    const { state, effects } = step(this.#state, input, this.#ports.clock.monotonic());
    try {
      for (const effect of effects) {
        await this.#perform(effect);
        if (effect.kind === "persist") this.#state = state;
      }
      this.#state = state;
      this.#ports.publish(state);
    } catch (error) {
      // Nothing was said, so nothing was promised: the input counts as a lost message.
      this.#ports.logger.error("vote could not be stored", { cause: error });
      await this.#pause(state.timing.beat);
    }
  }

  async #perform(effect: Effect): Promise<void> {
    const { store, signer, deliverVote, emit } = this.#ports;
    if (effect.kind === "persist") await store.save(effect.state);
    else if (effect.kind === "vote") {
      const signature = await signBallot(effect, signer);
      if (effect.candidate !== this.#state.self) deliverVote(effect, signature);
      else void this.push({ kind: "own-vote", term: effect.term, signature });
    } else emit(effect);
  }

  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await this.#ports.clock.sleep(ms, woken).catch(() => undefined);
    this.#wake = undefined;
  }
}
