import type { Host } from "@chorus/sim";
import type { Kept } from "./feed.ts";
import type { Wire } from "./wire.ts";

/** As the package's. */
const TIMEOUT_MS = 5000;
const RETRY_MS = 100;
/** A stream that has lost a frame breaks, and the next one asks again. */
const AGAIN_MS = 1000;

/** What became of a proposal; only with an index is it in the order. */
export type Outcome = Kept;

interface Pending {
  readonly id: string;
  readonly command: Uint8Array;
  readonly done: (outcome: Outcome) => void;
  readonly until: number;
  /** It left this peer: without an answer nobody knows what became of it. */
  sent: boolean;
  sentAt: number;
  /** The index that it was committed at, while this peer has not applied so far. */
  index: number | undefined;
}

interface ProposalPorts {
  readonly applied: () => number;
  readonly outcome: (id: string) => number | undefined;
  /** Appends here, when this peer leads. @returns false when it does not */
  readonly appendHere: (id: string, command: Uint8Array, done: (kept: Kept) => void) => boolean;
  /** @returns false while there is no stream to the admin */
  readonly send: (id: string, command: Uint8Array) => boolean;
  /** Answered before a quorum has it: a mutant. */
  readonly isHasty: boolean;
}

/** Proposals of this peer that wait for their outcome, wherever the lead goes meanwhile. */
export class Proposals {
  readonly #host: Host<Wire>;
  readonly #ports: ProposalPorts;
  readonly #pending = new Map<string, Pending>();

  constructor(host: Host<Wire>, ports: ProposalPorts) {
    this.#host = host;
    this.#ports = ports;
  }

  propose(command: Uint8Array, id: string, done: (outcome: Outcome) => void): void {
    const until = this.#host.awake() + TIMEOUT_MS;
    const pending = { id, command, done, until, sent: false, sentAt: -Infinity, index: undefined };
    this.#pending.set(id, pending);
    this.#dispatch(pending);
  }

  /** Tries all that wait once more. */
  retry(): void {
    for (const pending of this.#pending.values()) this.#dispatch(pending);
  }

  onAnswer(id: string, kept: Kept): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if ("index" in kept) {
      pending.index = kept.index;
      this.settle();
    } else if (kept.code === "no-leader") this.#host.after(RETRY_MS, () => this.#dispatchLater(id));
    else this.#end(pending, kept);
  }

  /** After each step of the log. */
  settle(): void {
    for (const pending of this.#pending.values()) {
      const { index } = pending;
      if (index !== undefined && (this.#ports.isHasty || this.#ports.applied() >= index))
        this.#end(pending, { index });
    }
  }

  tick(): void {
    const now = this.#host.awake();
    for (const pending of this.#pending.values())
      if (now >= pending.until) this.#giveUp(pending);
      else if (now - pending.sentAt > AGAIN_MS) this.#dispatch(pending);
  }

  /** The entry may have come although its answer did not. */
  #giveUp(pending: Pending): void {
    const index = pending.sent ? this.#ports.outcome(pending.id) : undefined;
    const code = pending.sent ? "unknown" : "no-leader";
    this.#end(pending, index === undefined ? { code } : { index });
  }

  #end(pending: Pending, outcome: Outcome): void {
    if (this.#pending.delete(pending.id)) pending.done(outcome);
  }

  #dispatchLater(id: string): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) this.#dispatch(pending);
  }

  #dispatch(pending: Pending): void {
    const { id, command } = pending;
    if (pending.index !== undefined) return;
    const here = this.#ports.appendHere(id, command, (kept) => {
      if ("code" in kept && kept.code === "unknown") this.onAnswer(id, { code: "no-leader" });
      else this.onAnswer(id, kept);
    });
    if (!here && !this.#ports.send(id, command)) return;
    pending.sent = true;
    pending.sentAt = this.#host.awake();
  }
}
