import {
  adminOf,
  type Effect,
  type Input,
  type Message,
  type Rules,
  type Settings,
  start,
  type State,
  step,
  type Timing,
  wakeAt,
} from "@chorus/election/testing";
import type { PeerId } from "@chorus/kernel";
import type { Host, Process } from "@chorus/sim";
import { load, save } from "./disk.ts";
import { admit, admitCertificate, agreed, slipOf } from "./intake.ts";
import { type LogMessage, PeerLog } from "./log.ts";
import { ballot, handover, type Sign, signerOf } from "./signatures.ts";

export type Question = Extract<Effect, { kind: "read-log" | "check-log" | "check-commit" }>;
type Presence = Extract<Input, { kind: "presence" }>;

/** What goes over the simulated network: messages on streams, and two kinds of gossip. */
export type Wire =
  | { readonly via: "stream"; readonly message: Message }
  | { readonly via: "gossip"; readonly certificate: NonNullable<State["certificate"]> }
  | { readonly via: "gossip"; readonly presence: Presence }
  | { readonly via: "log"; readonly message: LogMessage };

/** What all peers of a simulated mesh have in common. */
export interface Mesh {
  /** By the number of their node. */
  readonly peers: readonly PeerId[];
  /** The first voters; undefined where they are to found the mesh themselves. */
  readonly voters: readonly PeerId[] | undefined;
  readonly settings: Partial<Settings>;
  readonly timing: Timing;
  readonly rules: Rules;
  /** Instead of the small log that comes with the peer: whatever else is to be asked before a vote. */
  readonly asked?: { answer(question: Question, reply: (input: Input) => void): void };
}

/** Until a refused connection is known as such. */
const REFUSED_MS = 5;
const LOST_MS = 3000;

/** One peer of the election: the pure rules, and a driver that carries out their effects as the package's does. */
export class ElectionPeer implements Process<Wire> {
  state: State;
  /** Undefined in a mesh without one. */
  readonly log: PeerLog | undefined;
  /** The first thing that this peer signed although it knew something newer. */
  slip: string | undefined;
  readonly #host: Host<Wire>;
  readonly #mesh: Mesh;
  readonly #sign: Sign;
  readonly #closed = new Set<PeerId>();
  #waiting: Input[] = [];
  #stalled = false;
  #asleep = 0;
  #alarmAt = Infinity;
  #cancelAlarm: (() => void) | undefined;

  constructor(host: Host<Wire>, mesh: Mesh) {
    const { peers, voters, timing, rules, settings } = mesh;
    const self = nameOf(peers, host.self);
    this.#host = host;
    this.#mesh = mesh;
    this.#sign = signerOf(self);
    const stored = load(host.disk);
    const ownLog = settings.hasLog === true && mesh.asked === undefined;
    this.log = ownLog ? new PeerLog(host.disk) : undefined;
    const seed = Math.floor(host.random() * 2 ** 31);
    const common = { self, cluster: "mesh", role: "voter", timing, rules, settings } as const;
    this.state = start({ ...common, voters, stored, now: this.time(), seed });
    this.#asleep = this.#slept();
    const { founding, version } = this.state.config ?? { founding: "", version: 0 };
    this.#toAll({ via: "stream", message: { kind: "probe", founding, version } });
    this.#arm();
  }

  /** All peers there are, voters or not. */
  get members(): readonly PeerId[] {
    return this.#mesh.peers.slice(0, this.#host.nodes);
  }

  /** The clock of the rules: monotonic, blind to suspension. */
  time(): number {
    return this.#host.awake();
  }

  /** As the package's `isAdmin()`. */
  holdsLease(): boolean {
    return (
      this.state.role === "admin" && !this.#overslept() && adminOf(this.state, this.time()) !== undefined
    );
  }

  message(from: number, wire: Wire): void {
    const peer = nameOf(this.#mesh.peers, from);
    if (wire.via === "log") this.#onLog(peer, wire.message);
    else if (wire.via === "stream") this.feed(admit(this.state, peer, wire.message));
    else if ("presence" in wire) this.feed(wire.presence);
    else this.feed(admitCertificate(this.state, wire.certificate, undefined));
  }

  connection(node: number, open: boolean): void {
    const peer = nameOf(this.#mesh.peers, node);
    if (open) this.#closed.delete(peer);
    else this.#closed.add(peer);
    this.feed({ kind: open ? "connected" : "disconnected", peer });
  }

  /** A connection breaks while both peers live on, and cannot be made again for a while. */
  loseConnection(node: number): void {
    if (node >= this.#host.nodes || node === this.#host.self) return;
    this.connection(node, false);
    this.#host.after(LOST_MS, () => this.connection(node, true));
  }

  feed(input: Input | undefined): void {
    if (input === undefined) return;
    if (this.#stalled) {
      this.#waiting.push(input);
      return;
    }
    if (this.#overslept()) this.#advance({ kind: "resumed" });
    const { beatNumber } = this.state;
    this.#advance(input);
    if (this.state.role === "admin" && this.state.beatNumber !== beatNumber) this.#replicate();
    this.#arm();
  }

  /** As admin: one more entry. */
  append(): void {
    const { role, term, self } = this.state;
    if (role !== "admin" || this.log === undefined || this.#stalled) return;
    try {
      this.log.write(term, self);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** With every beat; a new admin begins with an entry of its own, since only that commits those before. */
  #replicate(): void {
    const { log, members } = this;
    const { term } = this.state;
    if (log === undefined) return;
    if (log.last().term !== term) this.append();
    if (log.last().term !== term) return;
    const message = { kind: "append", term, entries: log.entries } as const;
    for (const [to, peer] of members.entries())
      if (to !== this.#host.self && log.isBehind(peer)) this.#host.send(to, { via: "log", message });
  }

  #onLog(from: PeerId, message: LogMessage): void {
    const { role, term, certificate, config } = this.state;
    if (this.log === undefined || message.term !== term || this.#stalled) return;
    if (message.kind === "appended") {
      if (role === "admin" && config !== undefined) this.log.count(from, message.length, config);
    } else if (certificate?.term === term && certificate.candidate === from) this.#take(from, message);
  }

  #take(from: PeerId, message: LogMessage & { kind: "append" }): void {
    try {
      const answer = this.log?.take(message);
      if (answer !== undefined)
        this.#host.send(this.#mesh.peers.indexOf(from), { via: "log", message: answer });
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** The log answers after all other effects, as the package's driver asks it. */
  #ask(effect: Question): void {
    const { log } = this;
    const { config } = this.state;
    this.#mesh.asked?.answer(effect, (input) => this.#later(input));
    if (log === undefined) return;
    if (effect.kind === "read-log")
      this.#later({ kind: "log-position", term: effect.term, last: log.last() });
    else if (effect.kind === "check-log") this.#later(log.judge(effect.question));
    else {
      const committed = config !== undefined && log.isCommittedIn(effect.term, config);
      this.#later({ kind: "commit-verdict", term: effect.term, committed });
    }
  }

  #advance(input: Input): void {
    const before = this.state;
    const { state, effects } = step(before, input, this.time());
    if (input.kind === "resumed" || state.beatNumber !== before.beatNumber) this.#asleep = this.#slept();
    try {
      for (const effect of effects) {
        this.#perform(effect);
        if (effect.kind === "persist") this.state = state;
      }
      this.state = state;
    } catch (error) {
      if (!isFull(error)) throw error;
      // Nothing was said, so nothing was promised: the input counts as a lost message.
      this.#stall(state.timing.beat);
    }
  }

  #stall(ms: number): void {
    this.#stalled = true;
    this.#host.after(ms, () => {
      this.#stalled = false;
      for (const input of this.#waiting.splice(0)) this.feed(input);
      this.#arm();
    });
  }

  #slept(): number {
    return this.#host.now() - this.#host.awake();
  }

  #overslept(): boolean {
    const { timeout, lease } = this.#mesh.timing;
    return this.#slept() - this.#asleep > (timeout - lease) / 5;
  }

  /** An alarm that rings early costs less than one that is set anew after each input. */
  #arm(): void {
    const now = this.time();
    const at = wakeAt(this.state);
    if (this.#stalled || at === Infinity || (this.#alarmAt <= at && this.#alarmAt > now)) return;
    this.#cancelAlarm?.();
    this.#alarmAt = Math.max(now, at);
    this.#cancelAlarm = this.#host.after(this.#alarmAt - now, () => {
      this.#alarmAt = Infinity;
      if (wakeAt(this.state) <= this.time()) this.feed({ kind: "tick" });
      else this.#arm();
    });
  }

  #perform(effect: Effect): void {
    if (effect.kind === "persist") save(this.#host.disk, effect.state);
    else if (effect.kind === "send") this.#send(effect.to, effect.message);
    else if (effect.kind === "broadcast") this.#toAll({ via: "stream", message: effect.message });
    else if (effect.kind === "announce") this.#toAll({ via: "gossip", certificate: effect.certificate });
    else if (effect.kind === "presence") this.#presence(effect.uptimeMs);
    else if (effect.kind === "vote" || effect.kind === "approve" || effect.kind === "transfer")
      this.#signed(effect);
    else this.#report(effect);
  }

  #report(effect: Effect): void {
    if (effect.kind === "equivocation") throw new Error(`two certificates for term ${effect.one.term}`);
    if (effect.kind === "transition")
      this.#host.note(`${effect.from} → ${effect.to}: ${effect.cause}, term ${this.state.term}`);
    if (effect.kind === "read-log" || effect.kind === "check-log" || effect.kind === "check-commit")
      this.#ask(effect);
  }

  #signed(effect: Extract<Effect, { kind: "vote" | "approve" | "transfer" }>): void {
    const { self, rules } = this.state;
    const { config } = effect;
    this.slip ??= slipOf(this.state, effect);
    if (effect.kind === "transfer") {
      const { to, term } = effect;
      this.#send(to, { kind: "transfer", term, signature: this.#sign(handover(config, term, to)) });
    } else if (effect.kind === "vote") {
      const { candidate, term } = effect;
      const signature = this.#sign(ballot(config, term, candidate));
      if (candidate === self) this.#later({ kind: "own-vote", term, signature });
      else this.#send(candidate, { kind: "vote-reply", term, granted: true, signature });
    } else {
      const { to, previous, number } = effect;
      const signature = this.#sign(agreed(rules, previous, config));
      if (to === self) this.#later({ kind: "own-approval", config, signature });
      else this.#send(to, { kind: "approval", config, number, signature });
    }
  }

  #presence(uptimeMs: number): void {
    const { self: from, settings, config } = this.state;
    const { mayVote: wants, eligible, priority } = settings;
    const founding = config?.founding ?? "";
    const presence: Presence = { kind: "presence", from, uptimeMs, wants, eligible, priority, founding };
    this.#toAll({ via: "gossip", presence });
  }

  #later(input: Input): void {
    this.#host.after(0, () => this.feed(input));
  }

  #send(to: PeerId, message: Message): void {
    this.#host.send(this.#mesh.peers.indexOf(to), { via: "stream", message });
    // A stream to a peer whose connection is closed does not open.
    if (message.kind === "probe" && this.#closed.has(to))
      this.#host.after(REFUSED_MS, () => this.feed({ kind: "unreachable", peer: to }));
  }

  #toAll(wire: Wire): void {
    const { self, nodes, send } = this.#host;
    for (let to = 0; to < nodes; to++) if (to !== self) send(to, wire);
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "sim/disk-full";
}

export function nameOf(peers: readonly PeerId[], node: number): PeerId {
  const peer = peers[node];
  if (peer === undefined) throw new RangeError(`there is no peer for node ${node}`);
  return peer;
}
