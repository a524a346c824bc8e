import { type ChorusError, type Clock, equalBytes, InvalidInputError } from "@chorus/kernel";
import type { Outcome } from "./outcome.ts";
import type { Kept } from "./appender.ts";
import type { Proposed } from "./contract.ts";
import { DiskFullError, NoLeaderError, OutcomeUnknownError, RefusedError } from "./errors.ts";
import type { Log } from "./log.ts";

const RETRY_MS = 100;
/** Without a reason of its own each abort would make an error with a stack. */
const ANSWERED = new Error("answered");

interface Pending<R> {
  readonly id: string;
  readonly command: Uint8Array;
  readonly promise: Promise<Proposed<R>>;
  readonly resolve: (proposed: Proposed<R>) => void;
  readonly reject: (error: unknown) => void;
  /** It left this peer, or its own writer has it: from now on a missing answer leaves the outcome open. */
  sent: boolean;
  callers: number;
}

interface ProposalPorts<R> {
  readonly log: Pick<Log<unknown, R>, "outcome" | "changed" | "failure" | "applied">;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Appends here, when this peer leads. */
  readonly appendHere: (id: string, command: Uint8Array) => Promise<Kept> | undefined;
}

type SendProposal = (id: string, command: Uint8Array) => Promise<void>;

/** Proposals of this peer that wait for their outcome, wherever the lead goes meanwhile. */
export class Proposals<R> {
  readonly #ports: ProposalPorts<R>;
  readonly #pending = new Map<string, Pending<R>>();
  #send: SendProposal | undefined;

  constructor(ports: ProposalPorts<R>) {
    this.#ports = ports;
  }

  async propose(id: string, command: Uint8Array, signal: AbortSignal | undefined): Promise<Proposed<R>> {
    signal?.throwIfAborted();
    const pending = this.#join(id, command);
    const ended = new AbortController();
    const late = this.#ports.clock.sleep(this.#ports.timeoutMs, {
      signal: signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]),
    });
    const givenUp = late.then(
      () => {
        throw pending.sent ? new OutcomeUnknownError(id) : new NoLeaderError("none was known in time");
      },
      (reason: unknown) => {
        throw reason;
      },
    );
    givenUp.catch(() => undefined);
    try {
      return await Promise.race([pending.promise, givenUp]);
    } finally {
      ended.abort(ANSWERED);
      if (--pending.callers === 0) this.#pending.delete(id);
    }
  }

  /** A session with the admin is open: everything that waits goes there, again if it must. */
  attach(send: SendProposal): void {
    if (this.#send !== undefined) return;
    this.#send = send;
    this.retry();
  }

  /** The session is over. What it brought is settled, the rest waits for the next one. */
  detach(): void {
    this.#send = undefined;
    for (const pending of this.#pending.values()) this.#settleFromLog(pending, 2);
  }

  /** Tries all that wait once more. */
  retry(): void {
    for (const pending of this.#pending.values()) this.#dispatch(pending);
  }

  onCommitted(id: string, index: number, replicas: number): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) void this.#settle(pending, index, replicas);
  }

  onRejected(id: string, code: string, reason?: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const error = code === "ledger/refused" ? new RefusedError(reason ?? "not admitted") : toError(id, code);
    if (error === undefined) void this.#later(pending);
    else pending.reject(error);
  }

  /** The log takes nothing any more: what is in it counts, for the rest nobody knows. */
  fail(error: Error): void {
    for (const pending of this.#pending.values()) {
      this.#settleFromLog(pending, 1);
      pending.reject(pending.sent ? new OutcomeUnknownError(pending.id, error) : error);
    }
  }

  #join(id: string, command: Uint8Array): Pending<R> {
    const known = this.#pending.get(id);
    if (known !== undefined) {
      if (!equalBytes(known.command, command))
        throw new InvalidInputError("id", "was used for another command");
      known.callers++;
      return known;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Proposed<R>>();
    promise.catch(() => undefined);
    const pending: Pending<R> = {
      id,
      command: command.slice(),
      promise,
      resolve,
      reject,
      sent: false,
      callers: 1,
    };
    this.#pending.set(id, pending);
    this.#dispatch(pending);
    return pending;
  }

  #dispatch(pending: Pending<R>): void {
    const { id, command } = pending;
    const here = this.#ports.appendHere(id, command);
    if (here !== undefined) {
      const { sent } = pending;
      pending.sent = true;
      here.then(
        ({ index, replicas }) => this.onCommitted(id, index, replicas),
        (error: unknown) => {
          if (error instanceof NoLeaderError) pending.sent = sent;
          if (this.#isOpen(error)) void this.#later(pending);
          else pending.reject(error);
        },
      );
    } else if (this.#send !== undefined) {
      pending.sent = true;
      // A broken stream is noticed by its reader, which opens the next one.
      this.#send(id, command).catch(() => undefined);
    }
  }

  /** Nothing was appended, or a quorum did not have it when the lead was lost: the next admin will tell. */
  #isOpen(error: unknown): boolean {
    const lost = error instanceof OutcomeUnknownError && this.#ports.log.failure === undefined;
    return lost || error instanceof NoLeaderError;
  }

  /** The lead was lost on the way: once more, when it has settled. */
  async #later(pending: Pending<R>): Promise<void> {
    await this.#ports.clock.sleep(RETRY_MS);
    if (this.#pending.get(pending.id) === pending) this.#dispatch(pending);
  }

  /** The result is this peer's own: it waits until its own machine has applied the entry. */
  async #settle(pending: Pending<R>, index: number, replicas: number): Promise<void> {
    const { log } = this.#ports;
    pending.sent = true;
    while (log.applied.index < index) {
      if (log.failure !== undefined) return;
      await log.changed();
    }
    const outcome = log.outcome(pending.id);
    if (outcome === undefined) pending.reject(new OutcomeUnknownError(pending.id));
    else pending.resolve(toProposed(outcome, replicas));
  }

  /** Answers without the admin, if the entry has arrived: it is durable wherever it was sent from, and here. */
  #settleFromLog(pending: Pending<R>, replicas: number): void {
    const outcome = pending.sent ? this.#ports.log.outcome(pending.id) : undefined;
    if (outcome !== undefined) pending.resolve(toProposed(outcome, replicas));
  }
}

function toProposed<R>({ index, term, result }: Outcome<R>, replicas: number): Proposed<R> {
  return { index, term, replicas, result };
}

/** The admin's answer as an error, undefined when another try is due. */
function toError(id: string, code: string): ChorusError | undefined {
  switch (code) {
    case "ledger/no-leader":
      return undefined;
    case "ledger/disk-full":
      return new DiskFullError();
    case "kernel/invalid-input":
      return new InvalidInputError("id", "was used for another command");
    default:
      return new OutcomeUnknownError(id, new Error(`the admin answered ${code}`));
  }
}
