import type { Position } from "../chain.ts";
import { type Effect, positionOf, type Refusal, type Rules, type State } from "./state.ts";

/** A state being changed, and what is to be done about it; it lives for one step. */
export interface Draft {
  state: State;
  effects: Effect[];
  readonly rules: Rules;
}

export function set(draft: Draft, change: Partial<State>): void {
  draft.state = { ...draft.state, ...change };
}

export function refuse(draft: Draft, problem: Refusal): void {
  draft.effects.push({ kind: "refuse", problem });
}

/** Moves the committed end up to an index of the tail, and has the entries on the way applied. */
export function commit(draft: Draft, index: number): void {
  const { committed, tail } = draft.state;
  const to: Position | undefined = positionOf(draft.state, index);
  if (to === undefined || index <= committed.index) return;
  const count = index - committed.index;
  draft.effects.push({ kind: "apply", entries: tail.slice(0, count) });
  set(draft, {
    committed: { index: to.index, term: to.term, checksum: to.checksum },
    tail: tail.slice(count),
  });
}
