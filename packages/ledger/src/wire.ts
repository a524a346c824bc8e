import { type Canonical, decodeCanonical, encodeCanonical, InvalidInputError } from "@chorus/kernel";
import type { SnapshotHead, StoredEntry } from "./contract.ts";
import { TooLargeError } from "./errors.ts";

/** One session of a learner with the admin: catch-up, live entries, acknowledgements and proposals. */
export const PROTOCOL = "/chorus/ledger/1.0.0";
const MAX_COMMAND_BYTES = 16_384;
/** Entries are gathered up to about this size, so that one frame always holds at least one command. */
export const FRAME_BYTES = 49_152;
const MAX_BYTES = 131_072;
/** Parts of a snapshot that one `fetch` brings at most. */
export const BURST = 8;

/** From a learner to the admin. */
export type Request =
  /** First, and again after a `rewind`: where the learner's log ends, and how far it is committed. */
  | {
      readonly kind: "follow";
      readonly last: number;
      readonly lastChecksum: Uint8Array;
      readonly committed: number;
      readonly committedChecksum: Uint8Array;
    }
  /** Parts of the offered snapshot from a number on, some at a time. */
  | { readonly kind: "fetch"; readonly digest: Uint8Array; readonly from: number }
  /** Durable here up to this index. */
  | { readonly kind: "ack"; readonly index: number }
  | { readonly kind: "propose"; readonly id: string; readonly command: Uint8Array }
  /** From which index on is a state as new as this moment? The number comes back with the answer. */
  | { readonly kind: "read"; readonly number: number };

/** From the admin to a learner. */
export type Response =
  | {
      readonly kind: "entries";
      readonly term: number;
      readonly committed: number;
      readonly entries: readonly StoredEntry[];
    }
  /** The follower's last entry is not in the admin's log: it asks again from its committed end. */
  | { readonly kind: "rewind" }
  /** Committed entries of the learner are not in the admin's log: one of the two logs is wrong. */
  | { readonly kind: "diverged" }
  /** The admin no longer has the entries that the follower lacks: this stands for them. It is fetched, or not. */
  | ({ readonly kind: "snapshot" } & SnapshotHead)
  | {
      readonly kind: "part";
      readonly number: number;
      readonly bytes: Uint8Array;
      readonly checksum: Uint8Array;
    }
  | { readonly kind: "committed"; readonly id: string; readonly index: number; readonly replicas: number }
  /** The proposal was not appended; `retryable` ones are tried again by the learner. */
  | {
      readonly kind: "rejected";
      readonly id: string;
      readonly code: string;
      readonly retryable: boolean;
      /** With `ledger/refused`: the code of why. */
      readonly reason?: string;
    }
  | { readonly kind: "readable"; readonly number: number; readonly index: number }
  /** This peer serves nobody now. */
  | { readonly kind: "refused"; readonly code: string };

/** @throws TooLargeError */
export function checkCommand(command: Uint8Array): void {
  if (command.length > MAX_COMMAND_BYTES) throw new TooLargeError(command.length, MAX_COMMAND_BYTES);
}

/** @throws InvalidInputError */
export function parseId(input: unknown): string {
  if (typeof input !== "string" || input.length === 0 || input.length > 64)
    throw new InvalidInputError("id", "must be 1 to 64 characters");
  return input;
}

export function encodeRequest(request: Request): Uint8Array {
  return encodeCanonical(request);
}

export function encodeResponse(response: Response): Uint8Array {
  if (response.kind === "snapshot") return encodeCanonical({ ...response });
  if (response.kind !== "entries") return encodeCanonical(response);
  return encodeCanonical({
    ...response,
    entries: response.entries.map(({ index, term, id, command, checksum }) => ({
      index,
      term,
      id,
      command,
      checksum,
    })),
  });
}

/** @throws InvalidInputError, TooLargeError */
export function parseRequest(frame: Uint8Array): Request {
  const value = fields(decodeCanonical(frame, { maxBytes: MAX_BYTES, maxDepth: 4 }), "request");
  const kind = value["kind"];
  if (kind === "ack") return { kind, index: count(value["index"], "index") };
  if (kind === "read") return { kind, number: count(value["number"], "number") };
  if (kind === "propose") {
    const command = bytes(value["command"], "command");
    checkCommand(command);
    return { kind, id: parseId(value["id"]), command };
  }
  if (kind === "fetch")
    return { kind, digest: bytes(value["digest"], "digest"), from: count(value["from"], "from") };
  if (kind !== "follow") throw new InvalidInputError("kind", "is unknown");
  return {
    kind,
    last: count(value["last"], "last"),
    lastChecksum: bytes(value["lastChecksum"], "lastChecksum"),
    committed: count(value["committed"], "committed"),
    committedChecksum: bytes(value["committedChecksum"], "committedChecksum"),
  };
}

/** @throws InvalidInputError, TooLargeError */
export function parseResponse(frame: Uint8Array): Response {
  const value = fields(decodeCanonical(frame, { maxBytes: MAX_BYTES, maxDepth: 6 }), "response");
  const kind = value["kind"];
  if (kind === "rewind" || kind === "diverged") return { kind };
  if (kind === "entries") {
    const { entries } = value;
    if (!Array.isArray(entries)) throw new InvalidInputError("entries", "must be a list");
    const committed = count(value["committed"], "committed");
    return { kind, term: count(value["term"], "term"), committed, entries: entries.map(parseEntry) };
  }
  if (kind === "snapshot") return { kind, ...parseHead(value) };
  if (kind === "part") {
    const [part, checksum] = [bytes(value["bytes"], "bytes"), bytes(value["checksum"], "checksum")];
    return { kind, number: count(value["number"], "number"), bytes: part, checksum };
  }
  if (kind === "refused") return { kind, code: text(value["code"], "code") };
  if (kind === "readable")
    return { kind, number: count(value["number"], "number"), index: count(value["index"], "index") };
  const id = parseId(value["id"]);
  if (kind === "committed") {
    const replicas = count(value["replicas"], "replicas");
    return { kind, id, index: count(value["index"], "index"), replicas };
  }
  if (kind === "rejected") {
    const reason = value["reason"] === undefined ? {} : { reason: text(value["reason"], "reason") };
    return { kind, id, code: text(value["code"], "code"), retryable: value["retryable"] === true, ...reason };
  }
  throw new InvalidInputError("kind", "is unknown");
}

function parseHead(value: Readonly<Record<string, Canonical>>): SnapshotHead {
  return {
    index: count(value["index"], "index"),
    term: count(value["term"], "term"),
    checksum: bytes(value["checksum"], "checksum"),
    parts: count(value["parts"], "parts"),
    digest: bytes(value["digest"], "digest"),
  };
}

function parseEntry(input: Canonical): StoredEntry {
  const value = fields(input, "entry");
  const command = bytes(value["command"], "command");
  checkCommand(command);
  return {
    index: count(value["index"], "index"),
    term: count(value["term"], "term"),
    // An entry without a name and a command opens a term.
    id: command.length === 0 && value["id"] === "" ? "" : parseId(value["id"]),
    command,
    checksum: bytes(value["checksum"], "checksum"),
  };
}

function fields(value: Canonical, path: string): Readonly<Record<string, Canonical>> {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    throw new InvalidInputError(path, "must be a map");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other members of Canonical are excluded above
  return value as Readonly<Record<string, Canonical>>;
}

function count(value: Canonical | undefined, path: string): number {
  if (typeof value !== "number" || value < 0) throw new InvalidInputError(path, "must be a count");
  return value;
}

function bytes(value: Canonical | undefined, path: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new InvalidInputError(path, "must be bytes");
  return value;
}

function text(value: Canonical | undefined, path: string): string {
  if (typeof value !== "string" || value.length > 64) throw new InvalidInputError(path, "must be short text");
  return value;
}
