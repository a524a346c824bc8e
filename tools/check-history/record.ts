/** Milliseconds of one clock that all writers share, CLOCK_MONOTONIC on one machine. */
export type Moment = number;

/** The fencing token of a claim: its place in the ledger. */
export interface Token {
  readonly term: number;
  readonly index: number;
}

/** An event as a peer shows it; members beyond these are compared, and not understood. */
export interface EventFact {
  readonly taskId: string;
  readonly seq: number;
  readonly type: string;
  readonly attempt?: number;
  readonly token?: Token;
  /** Of an event that keeps what a fenced attempt has made. */
  readonly superseded?: { readonly token: Token; readonly address: string };
}

/** An outside effect that a task declares: `subject` is the name under which its target shows it. */
export interface DeclaredEffect {
  readonly target: string;
  readonly subject: string;
}

/** A client asks a peer to take a task in. */
export interface Call {
  readonly kind: "call";
  readonly at: Moment;
  /** Unique in the whole history. */
  readonly call: string;
  readonly peer: string;
  /** Principal and idempotency key: calls with the same key are one task. */
  readonly key: string;
  readonly effects?: readonly DeclaredEffect[];
  /** How the task has to end. Any end will do without it. */
  readonly expects?: "completed";
}

/** What the peer said. A call without an answer may have been heard or not. */
export interface Answer {
  readonly kind: "answer";
  readonly at: Moment;
  readonly call: string;
  readonly status: "committed" | "pending" | "refused";
  readonly task?: string;
}

/** A process of this peer begins; those before it with the same disk are dead. */
export interface Life {
  readonly kind: "life";
  readonly at: Moment;
  readonly peer: string;
  readonly life: number;
}

/** A peer has applied an event. Each life of a peer tells those that it finds on its disk again. */
export interface Seen {
  readonly kind: "event";
  readonly at: Moment;
  readonly peer: string;
  readonly life: number;
  readonly event: EventFact;
}

/** What the ledger said to a worker that wanted to complete a task under this token. */
export interface Completion {
  readonly kind: "completion";
  readonly at: Moment;
  readonly peer: string;
  readonly task: string;
  readonly token: Token;
  readonly answer: "committed" | "fenced" | "refused";
  /** Address of the decision that it would have been. */
  readonly decision?: string;
}

/** One event of a live stream as the client got it, byte for byte. A watch may go on at another peer. */
export interface Frame {
  readonly kind: "frame";
  readonly at: Moment;
  readonly watch: string;
  readonly peer: string;
  readonly task: string;
  readonly seq: number;
  readonly text: string;
}

/** The outside world: `made` is something new in it, `repeated` was recognised there and changed nothing. */
export interface Effect {
  readonly kind: "effect";
  readonly at: Moment;
  readonly target: string;
  readonly subject: string;
  readonly key: string;
  readonly action: "made" | "repeated";
}

/** From `from` to `to` no packet passed between the two sides. */
export interface Cut {
  readonly kind: "cut";
  readonly from: Moment;
  readonly to: Moment;
  readonly minority: readonly string[];
  readonly majority: readonly string[];
}

/** A worker was stopped with a lease in its hands, and went on after another one had ended the task. */
export interface Zombie {
  readonly kind: "zombie";
  readonly peer: string;
  readonly task: string;
  readonly token: Token;
  readonly stopped: Moment;
  readonly resumed: Moment;
}

/** A worker that was cut off had its result in its hands when it could be replaced: it has to be kept as evidence. */
export interface Loser {
  readonly kind: "loser";
  readonly at: Moment;
  readonly peer: string;
  readonly task: string;
  readonly token: Token;
}

/** For whoever reads the file: something was done to a peer, at a known point of its work. */
export interface Done {
  readonly kind: "done";
  readonly at: Moment;
  readonly peer: string;
  readonly moment: string;
  readonly action: string;
}

/** These peers ran, were connected, and have had time enough to see everything: they are held to it. */
export interface End {
  readonly kind: "end";
  readonly at: Moment;
  readonly peers: readonly string[];
}

export type HistoryRecord =
  | Call
  | Answer
  | Life
  | Seen
  | Completion
  | Frame
  | Effect
  | Cut
  | Zombie
  | Loser
  | Done
  | End;
