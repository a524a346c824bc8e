import { closeSync, existsSync, openSync, readSync } from "node:fs";

/** Milliseconds of CLOCK_MONOTONIC, which all processes of one machine share, whatever namespace they are in. */
export type Moment = number;

/** What a peer writes down; each line is in the file before the peer goes on. */
export type PeerRecord =
  /** A process began; those before it with the same disk are dead. */
  | { readonly kind: "life"; readonly at: Moment; readonly life: number; readonly peer: string }
  /** Connected to what it needs, and voting. */
  | { readonly kind: "up"; readonly at: Moment }
  /** "May I act now?" was answered with yes at some moment from `from` to `to`. */
  | { readonly kind: "lease"; readonly from: Moment; readonly to: Moment; readonly term: number }
  /** The peer wanted to run all this time, and was busy for so long of it. */
  | { readonly kind: "late"; readonly from: Moment; readonly to: Moment; readonly busyMs: number }
  /** Another admin than before, or none, in the view of this peer. */
  | { readonly kind: "admin"; readonly at: Moment; readonly certificate?: Certificate }
  | {
      readonly kind: "role";
      readonly at: Moment;
      readonly from: string;
      readonly to: string;
      readonly cause: string;
    }
  /** What the disk held at the start. */
  | ({ readonly kind: "loaded"; readonly at: Moment } & Vote)
  /** Before and after the disk took it. */
  | ({ readonly kind: "saving" | "saved"; readonly at: Moment } & Vote)
  | { readonly kind: "connected"; readonly at: Moment; readonly peers: readonly string[] }
  /** A message went out to the whole mesh, and came in. Numbers never repeat within a peer. */
  | { readonly kind: "said"; readonly at: Moment; readonly number: number }
  | { readonly kind: "heard"; readonly at: Moment; readonly from: string; readonly number: number }
  /** For whoever reads the file; nothing is concluded from it. */
  | {
      readonly kind: "log";
      readonly at: Moment;
      readonly level: string;
      readonly message: string;
      readonly fields: unknown;
    };

export interface Vote {
  readonly term: number;
  readonly votedFor?: string;
}

/** Of an admin's certificate, what its signatures say. */
export interface Certificate {
  readonly term: number;
  readonly candidate: string;
  readonly voters: readonly string[];
  readonly votes: readonly string[];
}

/** What the runner did, and what it therefore demands. */
export type RunnerRecord =
  | { readonly kind: "fault"; readonly at: Moment; readonly fault: string; readonly target: string }
  /** From `from` to `to` these peers, a majority, ran and could talk to each other in both directions. */
  | {
      readonly kind: "quorum";
      readonly fault: string;
      readonly members: readonly string[];
      readonly from: Moment;
      readonly to: Moment;
      /** Longest time without an admin among them. */
      readonly boundMs: number;
      /** The admin at the beginning is not among them, so that another has to follow. */
      readonly orphaned: boolean;
    }
  /** Nothing is wrong any more since `healedAt`; the peers were left alone until `until`. */
  | {
      readonly kind: "healed";
      readonly fault: string;
      readonly healedAt: Moment;
      readonly until: Moment;
      readonly boundMs: number;
    }
  /** A process ended that nobody had ended. */
  | { readonly kind: "died"; readonly at: Moment; readonly peer: string; readonly code: string };

/** Everything that was written down about one mesh. Peers are called by their number here and in the records of the runner. */
export interface History {
  readonly peers: ReadonlyMap<string, readonly PeerRecord[]>;
  readonly runner: readonly RunnerRecord[];
}

export function moment(): Moment {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Reads a file that is still being written: each call returns the records that are new. */
export class Tail {
  readonly #file: string;
  #descriptor: number | undefined;
  #rest = Buffer.alloc(0);

  constructor(file: string) {
    this.#file = file;
  }

  next(): readonly PeerRecord[] {
    if (this.#descriptor === undefined && !existsSync(this.#file)) return [];
    this.#descriptor ??= openSync(this.#file, "r");
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let size = -1; size !== 0; ) {
      size = readSync(this.#descriptor, chunk);
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, size)]);
    }
    const end = this.#rest.lastIndexOf(NEWLINE) + 1;
    const text = this.#rest.subarray(0, end).toString();
    this.#rest = this.#rest.subarray(end);
    return parseRecords(text);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

const CHUNK_BYTES = 65_536;
const NEWLINE = 10;

/** Only what {@link PeerRecord} says is ever written to these files. */
export function parseRecords(text: string): readonly PeerRecord[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const record: PeerRecord = JSON.parse(line);
      return record;
    });
}
