import type { AlphabetBit } from "./alphabet.ts";
import type { Confidence } from "./contract.ts";
import type { Detector, Match } from "./detector.ts";

/** A match with the detector that made it. */
export interface Hit extends Match {
  readonly detector: Detector;
}

/** Matches that overlap, hidden behind one tag: the tag of the match that begins first. */
export interface Region {
  readonly first: Hit;
  readonly start: number;
  end: number;
  /** A run that is hidden to its end, read up to `at`. */
  tail?: { readonly bit: AlphabetBit; at: number } | undefined;
}

const RANK: Readonly<Record<Confidence, number>> = { certain: 0, strong: 1, likely: 2 };

/**
 * Adds a match to regions that are sorted and apart. The union of overlapping matches does not depend on the
 * order in which they come, which is what makes a stream equal to the whole text.
 */
export function addHit(regions: Region[], hit: Hit): void {
  let region: Region = { first: hit, start: hit.start, end: hit.end };
  if (hit.tail !== undefined) region.tail = { bit: hit.tail, at: hit.end };
  let index = regions.length;
  while (index > 0 && touches(regions[index - 1], region)) {
    const other = regions[index - 1];
    if (other === undefined) break;
    if (other.start < region.end && region.start < other.end) {
      region = union(other, region);
      regions.splice(index - 1, 1);
    }
    index -= 1;
  }
  regions.splice(index, 0, region);
}

/** Whether the region on the left may still overlap, or has to stand on the right. */
function touches(left: Region | undefined, region: Region): boolean {
  return left !== undefined && (left.end > region.start || left.start >= region.end);
}

function union(a: Region, b: Region): Region {
  const first = precedes(a.first, b.first) ? a.first : b.first;
  const region: Region = { first, start: first.start, end: Math.max(a.end, b.end) };
  const tail = longerTail(a, b);
  if (tail !== undefined) region.tail = tail;
  return region;
}

function longerTail(a: Region, b: Region): Region["tail"] {
  if (a.tail === undefined || b.tail === undefined) return a.tail ?? b.tail;
  return a.tail.at >= b.tail.at ? a.tail : b.tail;
}

function precedes(a: Hit, b: Hit): boolean {
  if (a.start !== b.start) return a.start < b.start;
  if ((a.detector.layer === "known") !== (b.detector.layer === "known")) return a.detector.layer === "known";
  const rank = RANK[a.confidence ?? a.detector.confidence] - RANK[b.confidence ?? b.detector.confidence];
  return rank === 0 ? a.end >= b.end : rank < 0;
}
