import { equalBytes } from "@chorus/kernel";
import type { Task } from "../tasks/machine.ts";
import type { AckStatus, Request } from "./client-book.ts";
import type { Command } from "./commands.ts";
import { type Follower, Scope, SUBMIT_WAIT_MS, type TaskPeer } from "./drivers.ts";
import { isFull } from "./log.ts";
import { parseTask } from "@chorus/coordinator";

const FOLDER = "outbox/";
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

interface Kept {
  readonly request: Request;
  readonly command: Command;
}

/** The way in, as the package's `Entry`: keeps what it took until the ledger has it, through restarts. */
export class Entry implements Follower {
  readonly #peer: TaskPeer;
  readonly #kept = new Map<string, Kept>();
  #pauseMs = FIRST_PAUSE_MS;

  constructor(peer: TaskPeer) {
    this.#peer = peer;
    const { host, run, mutant } = peer;
    if (mutant !== "outboxInMemory") host.disk.sync();
    for (const file of host.disk.list().filter((name) => name.startsWith(FOLDER))) {
      const request = run.clients.requests[Number(new TextDecoder().decode(host.disk.read(file)))];
      // A torn file was never answered for.
      if (request === undefined) host.disk.remove(file);
      else this.#kept.set(request.id, { request, command: commandOf(request) });
    }
    this.#keepOffering();
  }

  submit(request: Request, ack: (status: AckStatus) => void): void {
    const { id, specBytes } = request;
    const known = this.#kept.get(id)?.request ?? this.#peer.record(id);
    if (known !== undefined && !equalBytes(known.specBytes, specBytes)) ack("conflict");
    else if (this.#peer.record(id) !== undefined && !this.#kept.has(id)) ack("committed");
    else if (known !== undefined || this.#keep(request)) this.#acknowledge(request, ack);
  }

  /** Has a task ordered that may still be kept here, so that what follows comes after it. */
  offer(id: string, done: () => void): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) done();
    else this.#propose(kept, done);
  }

  see({ id }: Task): void {
    this.#forget(id);
  }

  /** Durable before anything else is tried. @returns false when there is no room */
  #keep(request: Request): boolean {
    const { host, mutant } = this.#peer;
    try {
      host.disk.write(`${FOLDER}${request.id}`, new TextEncoder().encode(`${request.number}`));
    } catch (error) {
      if (!isFull(error)) throw error;
      return false;
    }
    if (mutant !== "outboxInMemory") host.disk.sync();
    this.#kept.set(request.id, { request, command: commandOf(request) });
    return true;
  }

  #forget(id: string): void {
    if (this.#kept.delete(id)) this.#peer.host.disk.remove(`${FOLDER}${id}`);
  }

  #propose(kept: Kept, done: (status: AckStatus | undefined) => void): void {
    this.#peer.once(kept.command, (answer) => {
      if (answer === undefined) {
        done(undefined);
        return;
      }
      this.#forget(kept.request.id);
      const { result } = answer;
      if (result === undefined || result.status === "applied") done("committed");
      else done(result.refusal === "conflict" ? "conflict" : "refused");
    });
  }

  /** The ledger's answer, or an honest `pending`. */
  #acknowledge(request: Request, ack: (status: AckStatus) => void): void {
    const kept = this.#kept.get(request.id);
    if (kept === undefined) return;
    const waiting = new Scope(this.#peer.host);
    const answer = (status: AckStatus): void => {
      if (waiting.isOver) return;
      waiting.end();
      ack(status);
    };
    waiting.after(SUBMIT_WAIT_MS, () => answer("pending"));
    this.#propose(kept, (status) => answer(status ?? "pending"));
  }

  #keepOffering(): void {
    this.#peer.host.after(this.#pauseMs, () => {
      const none = this.#kept.size === 0;
      this.#pauseMs = none ? FIRST_PAUSE_MS : Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
      for (const kept of this.#kept.values()) this.#propose(kept, () => undefined);
      this.#keepOffering();
    });
  }
}

function commandOf({ principal, key, spec }: Request): Command {
  return { type: "task-submit", principal, key, spec: JSON.parse(JSON.stringify(parseTask(spec))) };
}
