import type { PeerId } from "@chorus/kernel";
import type { Host } from "@chorus/sim";
import type { Question } from "../election/peer.ts";
import type { Input as ElectionInput } from "@chorus/election/testing";
import { Appender } from "./appender.ts";
import { Feed, type Kept } from "./feed.ts";
import { Follower } from "./follower.ts";
import { Lead, type Leadership } from "./lead.ts";
import type { LogPosition, Rules, StoredEntry } from "./ledger-core.ts";
import { StackLog } from "./log.ts";
import { Proposals } from "./proposals.ts";
import type { LedgerFrame, Wire } from "./wire.ts";

const TICK_MS = 1000;
/** A question that nobody answers is given up. */
const READ_MS = 3000;

interface LedgerPorts {
  readonly leadership: Leadership;
  readonly peers: readonly PeerId[];
  readonly rules: Rules;
  /** The name of the driver's rule that is missing. */
  readonly mutant: string | undefined;
  readonly apply: (entry: StoredEntry) => void;
  readonly restore: (index: number) => readonly string[];
  readonly installed: (index: number) => void;
  readonly flushed: (keep: number, entries: readonly StoredEntry[]) => void;
}

interface Read {
  readonly done: (current: boolean) => void;
  readonly until: number;
  /** Where the state must be; undefined until the admin has told. */
  index: number | undefined;
}

/** The ledger of one simulated peer: the package's rules, with a driver for each of its parts. */
export class StackLedger {
  readonly log: StackLog;
  readonly #host: Host<Wire>;
  readonly #ports: LedgerPorts;
  readonly #lead: Lead;
  readonly #feed: Feed;
  readonly #follower: Follower;
  readonly #appender: Appender;
  readonly #proposals: Proposals;
  readonly #reads = new Map<number, Read>();
  #epoch = "";
  #number = 0;

  constructor(host: Host<Wire>, ports: LedgerPorts) {
    this.#host = host;
    this.#ports = ports;
    const { leadership, rules, peers, mutant } = ports;
    const isHasty = mutant === "ackBeforeQuorum";
    this.log = new StackLog(host, {
      ...ports,
      flushesAtOpen: mutant !== "flushAtOpen",
      elected: () => leadership.term(),
      changed: () => this.#changed(),
    });
    const { log } = this;
    this.#lead = new Lead(leadership, log, rules);
    const lead = this.#lead;
    this.#appender = new Appender(host, { log, lead, isHasty });
    const submit = (id: string, command: Uint8Array, done: (kept: Kept) => void): void =>
      this.#appender.submit(id, command, done);
    const send = (to: number, frame: LedgerFrame): void => host.send(to, frame);
    this.#feed = new Feed({ log, lead, peers, submit, send });
    this.#proposals = new Proposals(host, {
      isHasty,
      applied: () => log.core.committed.index,
      outcome: (id) => log.outcomes.get(id),
      appendHere: (id, command, done) => {
        if (!lead.isHeld) return false;
        this.#appender.submit(id, command, done);
        return true;
      },
      send: (id, command) => {
        if (!this.#follower.isAttached) return false;
        this.#follower.send({ kind: "propose", id, command });
        return true;
      },
    });
    this.#follower = new Follower(host, {
      log,
      leadership,
      send,
      leader: () => this.#leader(),
      attached: () => this.#retry(),
      answered: (message) => {
        if (message.kind === "readable") this.#readable(message.number, message.index);
        else this.#proposals.onAnswer(message.id, message);
      },
    });
    this.#tick();
  }

  /** The election may have moved. */
  turn(): void {
    const { leadership } = this.#ports;
    const admin = leadership.admin();
    const epoch = `${leadership.isAdmin()} ${admin?.peer ?? ""} ${admin?.term ?? 0}`;
    if (epoch === this.#epoch) {
      if (leadership.isAdmin()) this.#lead.recount();
      return;
    }
    this.#epoch = epoch;
    this.#feed.stop();
    if (leadership.isAdmin()) this.#lead.take(() => undefined);
    else this.log.feed(() => ({ kind: "rest" }));
    this.#follower.restart();
    this.#retry();
  }

  onFrame(from: number, frame: LedgerFrame): void {
    if (frame.to === "leader") this.#feed.onFrame(from, frame);
    else this.#follower.onFrame(from, frame);
  }

  onDisconnect(peer: number): void {
    this.#feed.drop(peer);
    this.#follower.drop(peer);
  }

  propose(command: Uint8Array, done: (outcome: Kept) => void): string {
    const { host, id } = { host: this.#host, id: `${this.#host.self}.${++this.#number}` };
    const name = `${id}.${Math.floor(host.random() * 2 ** 31).toString(36)}`;
    this.#proposals.propose(command, name, done);
    return name;
  }

  /** Tells when this peer has applied all that was committed anywhere before the call, or that it could not be found out. */
  read(done: (current: boolean) => void): void {
    const until = this.#host.awake() + READ_MS;
    this.#reads.set(++this.#number, { done, until, index: undefined });
    this.#ask(this.#number);
    this.#changed();
  }

  /** What the election asks before each vote and each change of the voters. */
  answer(question: Question, reply: (input: ElectionInput) => void): void {
    const { last } = this.log;
    if (question.kind === "read-log") reply({ kind: "log-position", term: question.term, last });
    else if (question.kind === "check-log") {
      const granted = !isBehind(question.question.last, last);
      reply({ kind: "log-verdict", question: question.question, granted });
    } else
      this.#lead.isSettledIn(question.term, (committed) =>
        reply({ kind: "commit-verdict", term: question.term, committed }),
      );
  }

  #leader(): number | undefined {
    const { leadership, peers } = this.#ports;
    const admin = leadership.admin();
    return admin === undefined || leadership.isAdmin() ? undefined : peers.indexOf(admin.peer);
  }

  #retry(): void {
    this.#proposals.retry();
    for (const [number, { index }] of this.#reads) if (index === undefined) this.#ask(number);
  }

  #ask(number: number): void {
    if (!this.#lead.isHeld && this.#follower.isAttached) this.#follower.send({ kind: "read", number });
  }

  #readable(number: number, index: number): void {
    const read = this.#reads.get(number);
    if (read === undefined) return;
    read.index = index;
    this.#changed();
  }

  /** Where this peer leads, the lease and the index are looked at in one moment. */
  #readHere(): void {
    const admin = this.#ports.leadership.admin();
    if (this.#reads.size === 0 || !this.#lead.isHeld || !this.log.isOpenIn(admin?.term ?? 0)) return;
    for (const read of this.#reads.values()) read.index ??= this.log.core.committed.index;
  }

  #changed(): void {
    this.#feed.pump();
    this.#appender.settle();
    this.#proposals.settle();
    this.#readHere();
    for (const [number, { done, index, until }] of this.#reads) {
      const isHere = index !== undefined && this.log.core.committed.index >= index;
      if (!isHere && this.#host.awake() < until) continue;
      this.#reads.delete(number);
      done(isHere);
    }
  }

  #tick(): void {
    this.#host.after(TICK_MS, () => this.#tick());
    this.#follower.tick();
    this.#feed.beat();
    this.#retry();
    this.#proposals.tick();
    this.#changed();
  }
}

function isBehind(one: LogPosition, other: LogPosition): boolean {
  return one.term < other.term || (one.term === other.term && one.index < other.index);
}
