import type { DatabaseSync } from "node:sqlite";
import type { Cid, Clock, PeerId } from "@chorus/kernel";
import { blocksOf, endsLater, type SignedEnvelope } from "./blob-envelope.ts";
import type { BlockStore } from "./block-store.ts";
import { transaction } from "./database.ts";
import { envelopeRows, type HeldEnvelope, type HeldTerms } from "./envelope-rows.ts";

/**
 * Members may seal the same plaintext again, each with an envelope of its own. So many are taken in unseen; a
 * verified copy is always kept.
 */
const MAX_PER_ADDRESS = 7;

export interface CommitAs {
  readonly verified: boolean;
  readonly also?: () => void;
}

/** Which blobs this disk holds completely. */
export interface EnvelopeIndex {
  /** Unexpired complete copies, oldest first. */
  held(addr: Cid): readonly HeldEnvelope[];
  /**
   * Makes a copy visible, on disk when this returns.
   * @param as.also runs in the same transaction
   * @returns false when a block is not here, or others hold the address already {@link MAX_PER_ADDRESS} times
   */
  commit(signed: SignedEnvelope, as: CommitAs): Promise<boolean>;
  readonly terms: (addr: Cid, author: PeerId) => HeldTerms | undefined;
  markVerified(addr: Cid, author: PeerId): void;
  /** Forgets a copy and the blocks that only it needed. */
  drop(signed: SignedEnvelope): Promise<void>;
}

export function envelopeIndex(
  { database, clock }: { readonly database: DatabaseSync; readonly clock: Clock },
  blocks: BlockStore,
): EnvelopeIndex {
  const rows = envelopeRows(database);
  const write = ({ envelope, bytes }: SignedEnvelope, as: CommitAs): readonly string[] | undefined => {
    const { addr, author } = envelope;
    const needed = blocksOf(envelope).map(({ hash }) => hash);
    if (!needed.every((hash) => blocks.has(hash))) return undefined;
    if (!as.verified && rows.othersCount(addr, author) >= MAX_PER_ADDRESS) return undefined;
    const replaced = rows.remove(addr, author);
    rows.insert({ envelope, bytes, needed, verified: as.verified });
    as.also?.();
    return replaced;
  };
  return {
    held: (addr) => rows.held(addr, clock.now()),
    async commit(signed, as) {
      const { addr, author, created, expires } = signed.envelope;
      const here = rows.terms(addr, author);
      // The same one, a newer one by the same author, or one that lasts longer: nothing is ever cut short.
      if (here !== undefined && (here.created >= created || endsLater(here.expires, expires))) return true;
      const replaced = transaction(database, () => write(signed, as));
      if (replaced === undefined) return false;
      await blocks.release(replaced);
      return true;
    },
    terms: rows.terms,
    markVerified: (addr, author) => transaction(database, () => rows.markVerified(addr, author)),
    drop: ({ envelope }) =>
      blocks.release(transaction(database, () => rows.remove(envelope.addr, envelope.author))),
  };
}
