import type { DatabaseSync } from "node:sqlite";
import type { Cid, PeerId } from "@chorus/kernel";
import type { BlobEnvelope } from "./blob-envelope.ts";
import { blobOf, textOf } from "./database.ts";

/** A complete copy on this disk. */
export interface HeldEnvelope {
  readonly bytes: Uint8Array;
  /** This peer has checked that the ciphertext opens to what the address says. */
  readonly verified: boolean;
}

/** When an author made the envelope that is here, and when it ends. */
export type HeldTerms = Pick<BlobEnvelope, "created" | "expires">;

/** The rows of envelopes. Changes belong into a transaction of the caller. */
export interface EnvelopeRows {
  /** Unexpired ones, verified and then oldest first; not more than one answer to a peer can hold. */
  readonly held: (addr: Cid, now: number) => readonly HeldEnvelope[];
  readonly terms: (addr: Cid, author: PeerId) => HeldTerms | undefined;
  /** How many other authors have one for the address. */
  readonly othersCount: (addr: Cid, author: PeerId) => number;
  readonly insert: (row: {
    readonly envelope: BlobEnvelope;
    readonly bytes: Uint8Array;
    readonly needed: readonly string[];
    readonly verified: boolean;
  }) => void;
  /** @returns the hashes of the blocks that it needed */
  readonly remove: (addr: Cid, author: PeerId) => readonly string[];
  readonly markVerified: (addr: Cid, author: PeerId) => void;
}

const MAX_HELD = 8;

export function envelopeRows(database: DatabaseSync): EnvelopeRows {
  const held = database.prepare(
    `SELECT bytes, verified FROM envelopes WHERE addr = ? AND (expires IS NULL OR expires > ?)
     ORDER BY verified DESC, id LIMIT ${MAX_HELD}`,
  );
  const one = database.prepare("SELECT id, created, expires FROM envelopes WHERE addr = ? AND author = ?");
  const others = database.prepare("SELECT COUNT(*) AS n FROM envelopes WHERE addr = ? AND author <> ?");
  const hashesOf = database.prepare("SELECT hash FROM refs WHERE envelope = ?");
  const remove = database.prepare("DELETE FROM envelopes WHERE id = ?");
  const insert = database.prepare(
    "INSERT INTO envelopes(addr, author, bytes, created, expires, verified) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const refer = database.prepare("INSERT OR IGNORE INTO refs(hash, envelope) VALUES (?, ?)");
  const mark = database.prepare("UPDATE envelopes SET verified = 1 WHERE addr = ? AND author = ?");
  return {
    held: (addr, now) =>
      held.all(addr, now).flatMap((row) => {
        const bytes = blobOf(row, "bytes");
        return bytes === undefined ? [] : [{ bytes, verified: row["verified"] === 1 }];
      }),
    terms: (addr, author) => {
      const row = one.get(addr, author);
      if (row === undefined) return undefined;
      const { created, expires } = row;
      return { created: Number(created), expires: expires === null ? null : Number(expires) };
    },
    othersCount: (addr, author) => Number(others.get(addr, author)?.["n"]),
    insert: ({ envelope, bytes, needed, verified }) => {
      const { addr, author, created, expires } = envelope;
      const { lastInsertRowid } = insert.run(addr, author, bytes, created, expires, verified ? 1 : 0);
      for (const hash of needed) refer.run(hash, lastInsertRowid);
    },
    remove: (addr, author) => {
      const row = one.get(addr, author);
      if (row === undefined) return [];
      const id = Number(row["id"]);
      const hashes = hashesOf.all(id).map((ref) => textOf(ref, "hash"));
      remove.run(id);
      return hashes;
    },
    markVerified: (addr, author) => {
      mark.run(addr, author);
    },
  };
}
