import type { DatabaseSync } from "node:sqlite";
import { blobOf, transaction } from "./database.ts";
import { openHead, standing, type SignedHead, type Standing } from "./head-record.ts";

/** Rows kept per lane: the highest heads, and older contradictions as evidence. */
const MAX_ROWS = 16;

/** The heads this disk knows: per lane those with the highest seq, and evidence of contradictions. */
export interface HeadStore {
  /** None, one, or two that contradict each other. */
  highest(lane: string): Promise<readonly SignedHead[]>;
  /**
   * Takes a verified head in, on disk when it resolves. The answer says whether it was kept.
   * @param also runs in the same transaction when it is
   */
  take(signed: SignedHead, also?: () => void): Promise<Standing>;
}

export function headStore(database: DatabaseSync, cluster: string): HeadStore {
  const highest = database.prepare(
    "SELECT bytes FROM heads WHERE lane = ?1 AND seq = (SELECT MAX(seq) FROM heads WHERE lane = ?1) ORDER BY id",
  );
  const insert = database.prepare("INSERT OR IGNORE INTO heads(lane, seq, cid, bytes) VALUES (?, ?, ?, ?)");
  const supersede = database.prepare(
    `DELETE FROM heads WHERE lane = ?1 AND seq < ?2
     AND (SELECT COUNT(*) FROM heads AS other WHERE other.lane = ?1 AND other.seq = heads.seq) = 1`,
  );
  const bound = database.prepare(
    `DELETE FROM heads WHERE id IN (SELECT id FROM heads WHERE lane = ? ORDER BY seq DESC, id LIMIT -1 OFFSET ?)`,
  );
  const read = (lane: string): Promise<SignedHead[]> =>
    Promise.all(
      highest.all(lane).flatMap((row) => {
        const bytes = blobOf(row, "bytes");
        return bytes === undefined ? [] : [openHead(bytes, cluster)];
      }),
    );
  // One at a time, since judging awaits signatures and two writers could both look newest.
  let queue: Promise<unknown> = Promise.resolve();
  const judgeAndTake = async (signed: SignedHead, also: (() => void) | undefined): Promise<Standing> => {
    const { head, bytes } = signed;
    const { lane, seq, cid } = head;
    const known = await read(lane);
    const judged = standing(
      known.map((other) => other.head),
      head,
    );
    const isEvidence = judged === "contradiction" && known.length < 2;
    if (judged === "newer" || isEvidence)
      transaction(database, () => {
        also?.();
        insert.run(lane, seq, cid, bytes);
        supersede.run(lane, seq);
        bound.run(lane, MAX_ROWS);
      });
    return judged;
  };
  return {
    highest: read,
    take(signed, also) {
      const result = queue.then(() => judgeAndTake(signed, also));
      queue = result.catch(() => undefined);
      return result;
    },
  };
}
