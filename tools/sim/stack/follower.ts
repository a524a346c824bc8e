import type { Host } from "@chorus/sim";
import type { Leadership } from "./lead.ts";
import type { Position } from "./ledger-core.ts";
import type { Problem, Reply, StackLog } from "./log.ts";
import type { LedgerFrame, SessionName, ToFollower, ToLeader, Wire } from "./wire.ts";

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;
/** A stream that is silent for so long is broken: the transport would have told. */
const SILENCE_MS = 3000;

interface FollowerPorts {
  readonly log: StackLog;
  readonly leadership: Leadership;
  readonly send: (to: number, frame: LedgerFrame) => void;
  /** The node of the admin to follow, undefined when there is none or it is this peer. */
  readonly leader: () => number | undefined;
  /** The stream can carry proposals now. */
  readonly attached: () => void;
  readonly answered: (message: ToFollower & { kind: "committed" | "rejected" | "readable" }) => void;
}

interface Stream {
  readonly name: SessionName;
  readonly to: number;
  readonly term: number;
  /** Of the next frame each way. */
  sent: number;
  next: number;
  /** Frames that came before their turn. */
  readonly early: Map<number, ToFollower>;
  heardAt: number;
  isOpen: boolean;
}

/** A voter's or learner's side, as the package's `Follower`: a stream to the admin of now, and the next when it breaks. */
export class Follower {
  readonly #host: Host<Wire>;
  readonly #ports: FollowerPorts;
  readonly #process: string;
  #number = 0;
  #stream: Stream | undefined;
  #retryMs = FIRST_RETRY_MS;
  #waiting: (() => void) | undefined;

  constructor(host: Host<Wire>, ports: FollowerPorts) {
    this.#host = host;
    this.#ports = ports;
    this.#process = `${host.self}.${Math.floor(host.random() * 2 ** 31).toString(36)}`;
  }

  get isAttached(): boolean {
    return this.#stream?.isOpen === true;
  }

  /** Leadership has changed: the stream of before ends. */
  restart(): void {
    this.#stream = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#waiting?.();
    this.#waiting = undefined;
    this.#open();
  }

  send(message: ToLeader): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const { name: session, to } = stream;
    this.#ports.send(to, { via: "ledger", to: "leader", session, place: stream.sent++, message });
  }

  onFrame(from: number, { session, place, message }: LedgerFrame & { to: "follower" }): void {
    const stream = this.#stream;
    if (stream?.name !== session || stream.to !== from || place < stream.next) return;
    stream.early.set(place, message);
    for (let next = stream.early.get(stream.next); next !== undefined; next = stream.early.get(stream.next)) {
      stream.early.delete(stream.next++);
      stream.heardAt = this.#host.awake();
      this.#handle(stream, next);
      if (this.#stream !== stream) return;
    }
  }

  tick(): void {
    const stream = this.#stream;
    if (stream !== undefined && this.#host.awake() - stream.heardAt > SILENCE_MS) this.#break(stream);
  }

  /** The admin's process is gone. */
  drop(peer: number): void {
    if (this.#stream?.to === peer) this.#break(this.#stream);
  }

  #open(): void {
    const { log, leadership, leader } = this.#ports;
    const to = leader();
    const term = leadership.admin()?.term;
    if (to === undefined || term === undefined || log.failed) return;
    const name = `${this.#process}.${++this.#number}`;
    const stream: Stream = {
      name,
      to,
      term,
      sent: 0,
      next: 0,
      early: new Map(),
      heardAt: this.#host.awake(),
      isOpen: false,
    };
    this.#stream = stream;
    log.feed(
      () => (this.#stream === stream ? { kind: "follow", term, elected: leadership.term() } : undefined),
      (problem) => this.#check(stream, problem),
      (reply) => this.#reply(stream, reply),
    );
  }

  #handle(stream: Stream, message: ToFollower): void {
    const { log, leadership, attached, answered } = this.#ports;
    const { term } = stream;
    const current = (): boolean => this.#stream === stream;
    const done = (problem: Problem | undefined): void => this.#check(stream, problem);
    const reply = (one: Reply): void => this.#reply(stream, one);
    if (message.kind === "entries") {
      const { entries, committed } = message;
      const take = () => ({ kind: "entries", term, entries, committed, elected: leadership.term() }) as const;
      log.feed(() => (current() ? take() : undefined), done, reply);
      this.#retryMs = FIRST_RETRY_MS;
      if (stream.isOpen) return;
      stream.isOpen = true;
      attached();
    } else if (message.kind === "rewind")
      log.feed(() => (current() ? { kind: "rewind", term } : undefined), done, reply);
    else if (message.kind === "snapshot") {
      const { mark } = message;
      const offer = () => ({ kind: "offer", term, mark, elected: leadership.term() }) as const;
      log.feed(() => (current() ? offer() : undefined), done, reply);
    } else if (message.kind === "part") {
      const { mark, number, of } = message;
      // Frames come in order: the last part of a snapshot comes behind all others of it.
      const install = () => ({ kind: "install", term, mark, elected: leadership.term() }) as const;
      if (number === of) log.feed(() => (current() ? install() : undefined), done, reply);
    } else if (message.kind === "diverged") log.fail();
    else if (message.kind === "refused") this.#break(stream);
    else answered(message);
  }

  #reply(stream: Stream, reply: Reply): void {
    if (this.#stream !== stream) return;
    if (reply.kind === "fetch") this.send({ kind: "fetch" });
    else if (reply.kind === "acknowledge") this.send({ kind: "ack", index: reply.index });
    else this.send({ kind: "follow", probe: copyOf(reply.probe), committed: copyOf(reply.committed) });
  }

  #check(stream: Stream, problem: Problem | undefined): void {
    if (problem !== undefined) this.#break(stream);
  }

  #break(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#waiting?.();
    this.#waiting = this.#host.after(this.#retryMs, () => this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }
}

function copyOf({ index, term, checksum }: Position): Position {
  return { index, term, checksum };
}
