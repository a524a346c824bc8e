import { equalBytes, type PeerId } from "@chorus/kernel";
import { lastOf, type Position } from "./ledger-core.ts";
import type { Lead } from "./lead.ts";
import type { StackLog } from "./log.ts";
import type { LedgerFrame, SessionName, ToFollower, ToLeader } from "./wire.ts";

/** Entries in one frame: few, as where they are large, so that what one frame leaves out can go wrong. */
const CHUNK = 2;
/** Frames of a snapshot. */
const PARTS = 3;

/** What a proposal came to at the leader. */
export type Kept = { readonly index: number } | { readonly code: "no-leader" | "disk-full" | "unknown" };

interface FeedPorts {
  readonly log: StackLog;
  readonly lead: Lead;
  readonly peers: readonly PeerId[];
  readonly submit: (id: string, command: Uint8Array, done: (kept: Kept) => void) => void;
  readonly send: (to: number, frame: LedgerFrame) => void;
}

interface Session {
  readonly name: SessionName;
  readonly peer: number;
  readonly term: number;
  place: number;
  /** Sent up to here; undefined until the logs were compared. */
  sent: Position["index"] | undefined;
  told: number;
  /** Place of the last comparison asked for. */
  asked: number;
  readonly reads: Set<number>;
}

/** The admin's side of the streams, as the package's `Feed`. */
export class Feed {
  readonly #ports: FeedPorts;
  readonly #sessions = new Map<number, Session>();
  /** A stream that has ended never comes again, whatever is still under way on it. */
  readonly #ended = new Set<SessionName>();

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  onFrame(from: number, { session: name, place, message }: LedgerFrame & { to: "leader" }): void {
    const session = this.#sessions.get(from);
    if (session?.name === name) this.#handle(session, message, place);
    else if (message.kind === "follow" && !this.#ended.has(name)) this.#serve(from, name, message);
  }

  /** Ends all sessions: the lead is lost. */
  stop(): void {
    for (const peer of this.#sessions.keys()) this.#end(peer);
  }

  /** That peer's process is gone. */
  drop(peer: number): void {
    this.#end(peer);
  }

  /** Something new in the log may be due. */
  pump(): void {
    for (const session of this.#sessions.values()) this.#pumpOne(session);
  }

  /** Stands for what keeps a stream alive. */
  beat(): void {
    for (const session of this.#sessions.values()) if (session.sent !== undefined) this.#entries(session);
  }

  #serve(from: number, name: SessionName, message: ToLeader & { kind: "follow" }): void {
    this.#end(from);
    this.#ended.add(name);
    this.#ports.lead.take((term) => {
      if (term === undefined) {
        this.#ports.send(from, {
          via: "ledger",
          to: "follower",
          session: name,
          place: 0,
          message: { kind: "refused" },
        });
        return;
      }
      const session = {
        name,
        peer: from,
        term,
        place: 0,
        sent: undefined,
        told: -1,
        asked: -1,
        reads: new Set<number>(),
      };
      this.#sessions.set(from, session);
      this.#handle(session, message, 0);
    });
  }

  #end(peer: number): void {
    const session = this.#sessions.get(peer);
    if (session !== undefined) this.#ended.add(session.name);
    this.#sessions.delete(peer);
  }

  #handle(session: Session, message: ToLeader, place: number): void {
    if (message.kind === "follow") this.#follow(session, message, place);
    else if (message.kind === "fetch") this.#parts(session);
    else if (message.kind === "ack") {
      const by = this.#ports.peers[session.peer];
      if (by !== undefined && session.sent !== undefined)
        this.#ports.lead.copied(
          by,
          session.term,
          Math.min(message.index, lastOf(this.#ports.log.core).index),
        );
    } else if (message.kind === "read") session.reads.add(message.number);
    else this.#propose(session, message);
    this.#pumpOne(session);
  }

  #follow(session: Session, { probe, committed }: ToLeader & { kind: "follow" }, place: number): void {
    if (session.sent !== undefined || place <= session.asked) return;
    session.asked = place;
    const { base } = this.#ports.log;
    if (committed.index < base.index && !this.#has(probe))
      this.#send(session, { kind: "snapshot", mark: base });
    else if (this.#has(probe)) session.sent = probe.index;
    else if (committed.index < probe.index && this.#has(committed)) this.#send(session, { kind: "rewind" });
    else this.#send(session, { kind: "diverged" });
  }

  /** All of one snapshot; a newer one begins anew. */
  #parts(session: Session): void {
    const { base: mark } = this.#ports.log;
    for (let number = 1; number <= PARTS; number++)
      this.#send(session, { kind: "part", mark, number, of: PARTS });
  }

  #has({ index, checksum }: Position): boolean {
    const own = this.#ports.log.checksumAt(index);
    return own !== undefined && equalBytes(own, checksum);
  }

  #propose(session: Session, { id, command }: ToLeader & { kind: "propose" }): void {
    this.#ports.submit(id, command, (kept) => {
      if (this.#sessions.get(session.peer) !== session) return;
      if ("index" in kept) this.#send(session, { kind: "committed", id, index: kept.index });
      else this.#send(session, { kind: "rejected", id, code: kept.code });
    });
  }

  #pumpOne(session: Session): void {
    const { log, lead } = this.#ports;
    if (!log.leads(session.term)) return;
    if (session.sent !== undefined) {
      const last = lastOf(log.core).index;
      if (session.sent < last || session.told < log.core.committed.index) this.#entries(session);
    }
    if (session.reads.size === 0 || !log.isOpenIn(session.term) || !lead.isHeld) return;
    const { index } = log.core.committed;
    for (const number of session.reads) this.#send(session, { kind: "readable", number, index });
    session.reads.clear();
  }

  #entries(session: Session): void {
    const { log } = this.#ports;
    const { term, sent = 0 } = session;
    if (sent < log.base.index) {
      session.sent = undefined;
      this.#send(session, { kind: "snapshot", mark: log.base });
      return;
    }
    const entries = log.entriesFrom(sent + 1, CHUNK);
    const committed = log.core.committed.index;
    session.sent = entries.at(-1)?.index ?? sent;
    session.told = committed;
    this.#send(session, { kind: "entries", term, committed, entries });
  }

  #send(session: Session, message: ToFollower): void {
    const { name, peer } = session;
    this.#ports.send(peer, {
      via: "ledger",
      to: "follower",
      session: name,
      place: session.place++,
      message,
    });
  }
}
