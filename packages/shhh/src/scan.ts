import { alphabetBit, isIn, type AlphabetBit } from "./alphabet.ts";
import { buildAutomaton, type Automaton } from "./automaton.ts";
import { CONTEXT, type Detector, type View } from "./detector.ts";
import { addHit, type Region } from "./regions.ts";

/** Detectors with the automaton of all their anchors. */
export interface Program {
  readonly automaton: Automaton;
  readonly anchors: readonly { readonly length: number; readonly detectors: readonly Detector[] }[];
  /** Most characters before an anchor that a match may take in. */
  readonly behind: number;
}

/** Compiles detectors; some milliseconds for a few hundred. */
export function compileProgram(detectors: readonly Detector[]): Program {
  const byAnchor = new Map<string, Detector[]>();
  for (const detector of detectors)
    for (const anchor of detector.anchors) {
      const list = byAnchor.get(anchor);
      if (list === undefined) byAnchor.set(anchor, [detector]);
      else list.push(detector);
    }
  return {
    automaton: buildAutomaton([...byAnchor.keys()]),
    anchors: Array.from(byAnchor, ([anchor, list]) => ({ length: anchor.length, detectors: list })),
    behind: detectors.reduce((most, { behind }) => Math.max(most, behind), 0),
  };
}

/** All regions of a whole text, sorted and apart. */
export function scanText(program: Program, text: string): readonly Region[] {
  const scan = new Scan(program);
  scan.feed(text, true);
  return scan.regions;
}

const behindBit = alphabetBit("base62");

interface Candidate {
  readonly detector: Detector;
  readonly start: number;
  readonly end: number;
}

/**
 * One pass over a text that may arrive in pieces. Candidates are decided strictly in order: at the first one
 * that needs text which has not arrived, the pass waits. So what is found does not depend on the pieces.
 */
export class Scan {
  /** Positions count from the beginning of the whole text, as do those of `regions`. */
  readonly regions: Region[] = [];
  /** Where `text` begins in the whole text. */
  base = 0;
  text = "";
  readonly #program: Program;
  readonly #view: MemoView = new MemoView();
  #waiting: Candidate[] = [];
  #ended = false;
  #state = 0;
  #at = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  /** Takes the next piece; `ended` says that it is the last. */
  feed(piece: string, ended: boolean): void {
    this.text += piece;
    this.#ended = ended;
    this.#view.show(this.text, ended);
    this.#followTails();
    if (this.#decide()) this.#run();
  }

  /** No match that is yet to come can begin before this position of the whole text. */
  settled(): number {
    if (this.#ended) return this.base + this.text.length;
    let at = this.#at - this.#program.automaton.depth(this.#state);
    const least = Math.max(0, at - this.#program.behind);
    while (at > least && isIn(behindBit, this.text.charCodeAt(at - 1))) at -= 1;
    return this.base + at;
  }

  /** Drops regions and text before a position, save what a later candidate may look back at. */
  forget(position: number, regions: number): void {
    this.regions.splice(0, regions);
    const drop = Math.min(position - this.base, this.#at) - this.#program.behind - CONTEXT;
    if (drop <= 0) return;
    this.text = this.text.slice(drop);
    this.base += drop;
    this.#at -= drop;
    this.#view.moved(drop);
    this.#waiting = this.#waiting.map(({ detector, start, end }) => ({
      detector,
      start: start - drop,
      end: end - drop,
    }));
  }

  /** The hot loop: everything else happens at anchors only. */
  #run(): void {
    const { text } = this;
    const { classes, next } = this.#program.automaton;
    const { length } = text;
    let state = this.#state;
    for (let i = this.#at; i < length; i++) {
      state = next[state + (classes[text.charCodeAt(i)] ?? 0)] ?? 0;
      if (state >= 0) continue;
      state = ~state;
      this.#state = state;
      this.#at = i + 1;
      this.#collect(state);
      if (!this.#decide()) return;
    }
    this.#state = state;
    this.#at = length;
  }

  #collect(state: number): void {
    const end = this.#at;
    for (const output of this.#program.automaton.outputs(state)) {
      const anchor = this.#program.anchors[output];
      for (const detector of anchor?.detectors ?? [])
        this.#waiting.push({ detector, start: end - (anchor?.length ?? 0), end });
    }
  }

  /** @returns false when a candidate needs more text */
  #decide(): boolean {
    for (const [index, { detector, start, end }] of this.#waiting.entries()) {
      const verdict = detector.verify(this.#view, start, end);
      if (verdict === "more") {
        this.#waiting.splice(0, index);
        return false;
      }
      if (verdict === undefined) continue;
      const { base } = this;
      addHit(this.regions, { ...verdict, detector, start: verdict.start + base, end: verdict.end + base });
      this.#followTails();
      this.#view.matchedTo = (this.regions.at(-1)?.end ?? 0) - base;
    }
    this.#waiting = [];
    return true;
  }

  /** Only the last region can have a run that is still open: later text is behind it. */
  #followTails(): void {
    const region = this.regions.at(-1);
    if (region?.tail === undefined) return;
    const { tail } = region;
    const end = this.#view.run(tail.bit, tail.at - this.base, this.text.length) + this.base;
    tail.at = end;
    region.end = Math.max(region.end, end);
    if (this.#ended || end < this.base + this.text.length) region.tail = undefined;
    this.#view.matchedTo = region.end - this.base;
  }
}

/** Remembers how far each alphabet's run goes, so that many candidates in one run cost no more than one. */
class MemoView implements View {
  text = "";
  ended = false;
  matchedTo = -1;
  readonly #from = new Map<AlphabetBit, number>();
  readonly #to = new Map<AlphabetBit, number>();

  show(text: string, ended: boolean): void {
    this.text = text;
    this.ended = ended;
    this.#from.clear();
    this.#to.clear();
  }

  moved(drop: number): void {
    this.matchedTo -= drop;
    this.text = this.text.slice(drop);
    this.#from.clear();
    this.#to.clear();
  }

  run(bit: AlphabetBit, from: number, limit: number): number {
    const { text } = this;
    const known = this.#to.get(bit) ?? -1;
    const isKnown = known >= from && (this.#from.get(bit) ?? 0) <= from;
    let at = isKnown ? known : from;
    const end = Math.min(limit, text.length);
    while (at < end && isIn(bit, text.charCodeAt(at))) at += 1;
    if (!isKnown) this.#from.set(bit, from);
    this.#to.set(bit, at);
    return Math.min(at, limit);
  }
}
