import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import type { Known, Message } from "../wire.ts";
import type { Lineage } from "./lineage.ts";
import { ABSENT_MS, type Cause, type Effect, type Role, type State } from "./state.ts";

/** A state being changed, and what is to be done about it; it lives for one step. */
export interface Draft {
  state: State;
  readonly effects: Effect[];
  readonly now: number;
}

export function set(draft: Draft, change: Partial<State>): void {
  draft.state = { ...draft.state, ...change };
}

export function become(draft: Draft, to: Role, cause: Cause): void {
  draft.effects.push({ kind: "transition", from: draft.state.role, to, cause });
  set(draft, { role: to });
}

export function send(draft: Draft, to: PeerId, message: Message): void {
  draft.effects.push({ kind: "send", to, message });
}

export function broadcast(draft: Draft, message: Message): void {
  draft.effects.push({ kind: "broadcast", message });
}

export function toVoters(draft: Draft, message: Message): void {
  for (const { peer } of draft.state.config?.voters ?? [])
    if (peer !== draft.state.self) send(draft, peer, message);
}

/** How far this peer has come; the answer to a probe starts there. */
export function known({ config }: State): Known {
  return { founding: config?.founding ?? "", version: config?.version ?? 0 };
}

export function ask(draft: Draft, peer: PeerId): void {
  send(draft, peer, { kind: "probe", ...known(draft.state) });
}

export function stepDown(draft: Draft, cause: Cause): void {
  become(draft, "follower", cause);
  set(draft, { alive: false, leaseUntil: -Infinity, beatAt: Infinity, rounds: [], proposal: undefined });
  rearm(draft);
}

export function raiseTerm(draft: Draft, term: number): void {
  const { role } = draft.state;
  if (role === "admin") stepDown(draft, "higher term");
  else if (role !== "observer" && role !== "follower") {
    become(draft, "follower", "higher term");
    rearm(draft);
  }
  set(draft, { term, votedFor: undefined, alive: false, checking: undefined, transfer: undefined });
}

/** Takes a configuration over, and with it the role that it gives this peer. */
export function install(draft: Draft, lineage: Lineage): void {
  const { self, settings, role, config } = draft.state;
  if (hasForgotten(draft.state, lineage)) {
    draft.effects.push({ kind: "forgotten" });
    return;
  }
  // Also when only its term is new: the votes being counted are for the old one.
  const replaced = config !== lineage.config;
  set(draft, { ...lineage, pledge: undefined });
  const votes = settings.mayVote && voterOf(lineage.config, self) !== undefined;
  if (votes && role === "observer") {
    become(draft, "follower", "made a voter");
    rearm(draft);
  } else if (!votes && role !== "observer") {
    become(draft, "observer", "no longer a voter");
    set(draft, { leaseUntil: -Infinity, beatAt: Infinity, rounds: [], proposal: undefined });
    rearm(draft);
  } else if (replaced && (role === "pre-candidate" || role === "candidate")) {
    become(draft, "follower", "newer configuration");
    rearm(draft);
  }
}

/**
 * A peer becomes a voter by its pledge, or as an observer of the configuration before, and has either on its disk. One
 * without both that is told it is a voter has lost its disk, and with it the votes that it must not give again.
 */
function hasForgotten({ self, config, pledge }: State, { config: next }: Lineage): boolean {
  if (config !== undefined || next === undefined || voterOf(next, self) === undefined) return false;
  return pledge?.config.founding !== next.founding;
}

/** Restarts the wait for the admin: the longer-lived stand earlier, and a little chance keeps them apart. */
export function rearm(draft: Draft): void {
  const { state, now } = draft;
  const lone = state.role !== "observer" && state.config?.voters.length === 1;
  if (state.role === "observer") set(draft, { deadline: now + state.timing.timeout });
  else if (lone && !state.alive) set(draft, { deadline: now });
  else set(draft, { deadline: now + state.timing.timeout + spread(draft) });
}

/** How long a round of votes may take. */
export function patience(draft: Draft): number {
  return draft.state.timing.timeout / 4 + spread(draft);
}

export function spread(draft: Draft): number {
  const { timeout } = draft.state.timing;
  return (rank(draft) * timeout) / 20 + (random(draft) * timeout) / 40;
}

/** Eligible voters, present in the last timeouts, that go first: by uptime, then priority, then name. */
export function rank({ state, now }: Draft): number {
  const own = {
    uptime: bucket(now - state.startedAt),
    priority: voterOf(state.config, state.self)?.priority ?? 0,
  };
  return Object.entries(state.peers).filter(([name, { uptimeMs, at }]) => {
    const voter = state.config?.voters.find(({ peer }) => peer === name);
    if (voter?.eligible !== true || now - at > ABSENT_MS) return false;
    const uptime = bucket(uptimeMs + now - at);
    if (uptime !== own.uptime) return uptime > own.uptime;
    return voter.priority === own.priority ? name < state.self : voter.priority > own.priority;
  }).length;
}

/** Minutes, at most a day: small differences must not make peers overtake each other again and again. */
function bucket(uptimeMs: number): number {
  return Math.floor(Math.min(uptimeMs, 86_400_000) / 60_000);
}

/** Mulberry32: small, and the same on every machine. */
function random(draft: Draft): number {
  const seed = (draft.state.seed + 0x6d2b79f5) | 0;
  set(draft, { seed });
  let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
}
