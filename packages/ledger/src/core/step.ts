import { type Draft, set } from "./draft.ts";
import { acknowledge, follow, install, offer, rewind, take } from "./following.ts";
import { advance, append, copied, lead } from "./leading.ts";
import { type Effect, type Input, lastOf, RULES, type Rules, type State } from "./state.ts";

/** What a step makes of its input. */
export interface Stepped {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/**
 * The rules of the log: one input, the state after it and what to do. Pure: no clock, no I/O. Time plays no part:
 * who leads, and until when, is the election's to say.
 */
export function step(before: State, input: Input, rules: Rules = RULES): Stepped {
  const draft: Draft = { state: before, effects: [], rules };
  apply(draft, input);
  const refused = draft.effects.some(({ kind }) => kind === "refuse");
  return { state: refused ? before : draft.state, effects: draft.effects };
}

function apply(draft: Draft, input: Input): void {
  if (isHeard(input)) {
    hear(draft, input);
    return;
  }
  switch (input.kind) {
    case "lead":
      lead(draft, input);
      return;
    case "rest":
      set(draft, { role: "idle", probe: undefined, matched: undefined, copies: new Map() });
      return;
    case "voters":
      onVoters(draft, input);
      return;
    case "append":
      append(draft, input.drafts);
      return;
    case "stored":
      onStored(draft, input.elected);
      return;
    case "copied":
      if (draft.state.role === "leader" && draft.state.term === input.term)
        copied(draft, input.by, input.index);
      return;
  }
}

/** What a follower hears from its leader. */
type Heard = Extract<Input, { kind: "follow" | "rewind" | "offer" | "install" | "entries" }>;

function isHeard(input: Input): input is Heard {
  return ["follow", "rewind", "offer", "install", "entries"].includes(input.kind);
}

function hear(draft: Draft, input: Heard): void {
  switch (input.kind) {
    case "follow":
      follow(draft, input.term, input.elected);
      return;
    case "rewind":
      rewind(draft, input.term);
      return;
    case "offer":
      offer(draft, input);
      return;
    case "install":
      install(draft, input);
      return;
    case "entries":
      take(draft, input);
  }
}

/**
 * A leader whose term is over may have copies of then from peers that vote only now, and have changed their logs since:
 * it counts no more by voters that came after it.
 */
function onVoters(draft: Draft, { voters, elected }: Input & { kind: "voters" }): void {
  const { role, term } = draft.state;
  if (role === "leader" && elected > term) return;
  set(draft, { voters });
  advance(draft);
}

/**
 * A raised term is saved and published before anyone asks this log for a vote. So either the vote's question came
 * after the flush and saw the entries, or the term is seen here and they do not count.
 */
function onStored(draft: Draft, elected: number): void {
  const { state, rules } = draft;
  if (rules.termAfterFlush && elected > state.term) return;
  if (state.role === "leader" && state.self !== undefined) copied(draft, state.self, lastOf(state).index);
  else if (state.role === "follower") acknowledge(draft);
}
