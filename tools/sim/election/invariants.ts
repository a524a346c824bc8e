import type { ElectionConfig, State } from "@chorus/election/testing";
import type { World } from "@chorus/sim";
import { isElected, isNewer } from "./intake.ts";
import type { ElectionPeer } from "./peer.ts";
import { votersOf } from "./signatures.ts";

type Node = World<ElectionPeer>["nodes"][number];
type Invariant = (world: World<ElectionPeer>) => string | undefined;

/** What must never happen, whatever fails. Made anew for each run: they remember all that was ever seen in it. */
export function invariants(): Readonly<Record<string, Invariant>> {
  return {
    ...harms(),
    "no lease outlives its promises": promisesCover,
    "terms rise": termsRise(),
  };
}

/** What the rest is there to prevent. */
export function harms(): Readonly<Record<string, Invariant>> {
  return {
    "one admin per term": oneAdminPerTerm(),
    "one lease": oneLease,
    "one configuration per version": oneConfigPerVersion(),
    "quorums meet": quorumsMeet(),
    "foundings share no voter": foundingsApart(),
    "what is committed stays": committedStays(),
    "nobody signs what is out of date": outOfDate,
  };
}

function stateOf({ nodes, touched }: World<ElectionPeer>): State | undefined {
  return touched === undefined ? undefined : nodes[touched]?.running?.state;
}

function oneAdminPerTerm(): Invariant {
  const admins = new Map<string, string>();
  let last: State["certificate"];
  return (world) => {
    const state = stateOf(world);
    if (state?.role !== "admin" || state.certificate === undefined || state.certificate === last)
      return undefined;
    const { certificate } = state;
    const { config, term, candidate } = certificate;
    last = certificate;
    if (!isElected(certificate, config)) return `term ${term}: the certificate of ${candidate} is not valid`;
    const key = `${config.founding} ${term}`;
    const known = admins.get(key) ?? candidate;
    admins.set(key, known);
    return known === candidate ? undefined : `term ${term} has the admins ${known} and ${candidate}`;
  };
}

/** In real time, also while a holder is paused: it may believe so when it goes on. */
const oneLease: Invariant = ({ nodes }) => {
  let holder: Node | undefined;
  for (const node of nodes) {
    if (node.running === undefined || !node.running.holdsLease()) continue;
    if (holder !== undefined && sameMesh(holder, node)) return `${holder.id} and ${node.id} hold a lease`;
    holder = node;
  }
  return undefined;
};

function sameMesh({ running: a }: Node, { running: b }: Node): boolean {
  return a?.state.config?.founding === b?.state.config?.founding;
}

/** While a lease holds, those that may vote for another are no quorum. */
const promisesCover: Invariant = ({ nodes }) => {
  const holder = nodes.find(({ running }) => running?.holdsLease());
  const { config, self, term } = holder?.running?.state ?? {};
  if (holder === undefined || config === undefined) return undefined;
  const free = nodes.filter(({ running }) => {
    if (running === undefined || running.state.self === self) return false;
    return config.voters.some(({ peer }) => peer === running.state.self) && isFree(running);
  });
  return free.length > config.voters.length / 2
    ? `${holder.id} has a lease in term ${term}, but ${free.map(({ id }) => id).join(", ")} are free to vote`
    : undefined;
};

function isFree(peer: ElectionPeer): boolean {
  const { heardAt, holdUntil, timing, suspected, rules } = peer.state;
  const now = peer.time();
  const promise = suspected ? 1.2 * timing.lease : timing.timeout;
  return (now >= heardAt + promise || !rules.stickiness) && now >= holdUntil;
}

/** Also over restarts: what is on the disk never goes back. A fold starts the count of another founding. */
function termsRise(): Invariant {
  const highest = new Map<string, number>();
  return (world) => {
    const state = stateOf(world);
    if (state?.config === undefined) return undefined;
    const key = `${world.touched} ${state.config.founding}`;
    const before = highest.get(key) ?? 0;
    if (state.term > before) highest.set(key, state.term);
    return state.term < before
      ? `${world.touched} went back from term ${before} to ${state.term}`
      : undefined;
  };
}

/** A configuration's writer and version name it: they form a chain, not a tree. */
function oneConfigPerVersion(): Invariant {
  const known = new Map<string, string>();
  let last: ElectionConfig | undefined;
  return (world) => {
    const config = stateOf(world)?.config;
    if (config === undefined || config === last) return undefined;
    last = config;
    const key = `${config.founding} ${config.cterm} ${config.version}`;
    const text = votersOf(config);
    const before = known.get(key) ?? text;
    known.set(key, before);
    return before === text
      ? undefined
      : `two configurations of version ${config.version} in term ${config.cterm}: ${before} | ${text}`;
  };
}

/**
 * Any two configurations that could still elect someone have only quorums that meet (ActiveConfigsOverlap of Schultz
 * et al. 2021): else two could be elected that never hear of each other.
 */
function quorumsMeet(): Invariant {
  const configs = new Map<number, ElectionConfig>();
  const peers = new Map<string, number>();
  return (world) => {
    const { touched } = world;
    const state = stateOf(world);
    const config = state?.config;
    if (touched === undefined || config === undefined || configs.get(touched) === config) return undefined;
    configs.set(touched, config);
    peers.set(state?.self ?? "", touched);
    if (!isActive(config, configs, peers)) return undefined;
    const apart = [...configs.values()].find(
      (one) => one.founding === config.founding && !overlap(one, config) && isActive(one, configs, peers),
    );
    return apart && `quorums of ${names(apart, peers)} and ${names(config, peers)} need not meet`;
  };
}

/** Nobody agrees to two foundings: each would count on its vote. */
function foundingsApart(): Invariant {
  const foundings = new Map<string, ElectionConfig>();
  return (world) => {
    const config = stateOf(world)?.founded?.config;
    if (config === undefined || foundings.has(config.founding)) return undefined;
    const has = ({ voters }: ElectionConfig, peer: string): boolean =>
      voters.some((voter) => voter.peer === peer);
    const other = [...foundings.values()].find((one) => config.voters.some(({ peer }) => has(one, peer)));
    foundings.set(config.founding, config);
    return other && `two foundings share a voter: ${votersOf(other)} | ${votersOf(config)}`;
  };
}

/** A quorum has nothing newer. */
function isActive(
  config: ElectionConfig,
  configs: ReadonlyMap<number, ElectionConfig>,
  peers: ReadonlyMap<string, number>,
): boolean {
  const left = config.voters.filter(({ peer }) => {
    const own = configs.get(peers.get(peer) ?? -1);
    return own === undefined || own.founding !== config.founding || !isNewer(own, config);
  });
  return left.length > config.voters.length / 2;
}

function overlap(a: ElectionConfig, b: ElectionConfig): boolean {
  const quorum = ({ voters }: ElectionConfig): number => Math.floor(voters.length / 2) + 1;
  return quorum(a) + quorum(b) > new Set([...a.voters, ...b.voters].map(({ peer }) => peer)).size;
}

function names({ cterm, version, voters }: ElectionConfig, peers: ReadonlyMap<string, number>): string {
  return `${cterm}.${version} [${voters.map(({ peer }) => peers.get(peer) ?? "?").join(" ")}]`;
}

/** A change of an older term, or a candidate with older voters, could be signed by a quorum beside another quorum. */
const outOfDate: Invariant = ({ nodes, touched }) => {
  const slip = nodes[touched ?? -1]?.running?.slip;
  return slip && `${touched}: ${slip}`;
};

/** What an admin took for committed is in the log of every admin of its term and later ones (Raft 5.4.3). */
function committedStays(): Invariant {
  const known: { readonly entry: number; readonly by: number }[] = [];
  return ({ nodes, touched }) => {
    const running = nodes[touched ?? -1]?.running;
    if (running?.log === undefined || running.state.role !== "admin") return undefined;
    const { entries, committed } = running.log;
    const { term } = running.state;
    const lost = known.findIndex(({ entry, by }, i) => by <= term && entries[i] !== entry);
    if (lost >= 0) return `entry ${lost + 1} was committed, and admin ${touched} of term ${term} lacks it`;
    for (const entry of entries.slice(known.length, committed)) known.push({ entry, by: term });
    return undefined;
  };
}
