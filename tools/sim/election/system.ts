import { type ElectionConfig, PROFILES, type Rules } from "@chorus/election/testing";
import { createSigner, type PeerId } from "@chorus/kernel";
import { type Host, sim, type Simulator, type System, type World } from "@chorus/sim";
import { changes, type Course } from "./course.ts";
import { harms, invariants } from "./invariants.ts";
import { rulesOf } from "./mutants.ts";
import { ElectionPeer, type Mesh, type Wire } from "./peer.ts";
import { patterns } from "./patterns.ts";

const MAX_NODES = 7;

const peers: readonly PeerId[] = (
  await Promise.all(Array.from({ length: MAX_NODES }, (_, i) => createSigner(new Uint8Array(32).fill(i + 1))))
)
  .map(({ peer }) => peer)
  .toSorted();

/**
 * A simulator of `nodes` peers. For a mutant only harm counts: two admins, or configurations that allow two; what else
 * a missing rule breaks would be found so soon that the harm was never seen.
 */
export function simulator(options: {
  readonly course: Course;
  readonly nodes: number;
  readonly mutant?: string;
}): Simulator {
  const { course, nodes, mutant } = options;
  if (nodes > MAX_NODES) throw new RangeError(`at most ${MAX_NODES} nodes`);
  const long = course === "founding" || course === "automatic";
  const system = systemOf(course, rulesOf(mutant));
  return sim(mutant === undefined ? system : { ...system, invariants: harms, eventually: {} }, {
    nodes,
    delayMs: [1, 60],
    // What the margins between lease and promise are made for.
    drift: 0.08,
    weights: { pattern: 8, action: changes(course) ? 6 : 1 },
    ...(long ? { durationMs: 120_000, healMs: 70_000, healWithinMs: 60_000 } : {}),
  });
}

function systemOf(course: Course, rules: Rules): System<Wire, ElectionPeer> {
  return {
    boot: (host) => new ElectionPeer(host, meshOf(course, host, rules)),
    invariants,
    eventually: { "an admin that all know": allAgree },
    actions: actionsOf(course),
    leader: ({ nodes }) => leading(nodes),
    patterns: patterns(course),
    describe,
  };
}

function meshOf(course: Course, { nodes }: Host<Wire>, rules: Rules): Mesh {
  const common = { peers, timing: PROFILES.lan, rules };
  if (course === "fixed") return { ...common, voters: peers.slice(0, nodes), settings: {} };
  const some = peers.slice(0, Math.ceil((nodes + 1) / 2));
  if (course === "changing") return { ...common, voters: some, settings: {} };
  if (course === "logged") return { ...common, voters: some, settings: { hasLog: true } };
  const expect = course === "founding" ? Math.floor(nodes / 2) + 1 : 1;
  const automatic = { automatic: true, promoteAfter: 6000, demoteAfter: 12_000 };
  return { ...common, voters: undefined, settings: { expect, ...automatic } };
}

/** The same admin, the same configuration, everywhere, and its lease holds. */
function allAgree({ nodes }: World<ElectionPeer>): boolean {
  const admin = nodes.find(({ running }) => running?.holdsLease())?.running?.state;
  return (
    admin !== undefined &&
    nodes.every(({ running }) => {
      const state = running?.state;
      const follows = state?.alive === true && state.certificate?.candidate === admin.self;
      return follows && state.config?.version === admin.config?.version;
    })
  );
}

/** The admin; where there is none, who is nearest to becoming it. */
function leading(nodes: World<ElectionPeer>["nodes"]): number | undefined {
  for (const role of ["admin", "candidate", "pre-candidate"] as const) {
    const found = nodes.find(({ running }) => running?.state.role === role);
    if (found !== undefined) return found.id;
  }
  return undefined;
}

function actionsOf(course: Course): NonNullable<System<Wire, ElectionPeer>["actions"]> {
  const always = {
    "hand-over": (peer: ElectionPeer) => peer.feed({ kind: "hand-over" }),
    "lose-connection": (peer: ElectionPeer, choice: number) =>
      peer.loseConnection(Math.floor(choice * MAX_NODES)),
  };
  if (!changes(course)) return always;
  const append = (peer: ElectionPeer) => peer.append();
  return course === "logged" ? { ...always, reconfigure, append } : { ...always, reconfigure };
}

/** Adds or removes one voter; without the rule against it, sometimes two. */
function reconfigure(peer: ElectionPeer, choice: number): void {
  const { config, rules } = peer.state;
  if (config === undefined) return;
  const { members } = peer;
  const at = Math.floor(choice * members.length * 4);
  const first = members[at % members.length];
  const second = rules.oneAtATime || at % 2 === 0 ? undefined : members[(at + 1) % members.length];
  const voters = toggled(toggled(config.voters, first), second);
  peer.feed({ kind: "reconfigure", voters });
}

function toggled(voters: ElectionConfig["voters"], peer: PeerId | undefined): ElectionConfig["voters"] {
  if (peer === undefined) return voters;
  const without = voters.filter((voter) => voter.peer !== peer);
  return without.length < voters.length ? without : [...voters, { peer, eligible: true, priority: 0 }];
}

function describe(wire: Wire): string {
  if (wire.via === "log") return JSON.stringify(wire.message).replaceAll('"', "");
  const shown =
    "message" in wire
      ? wire.message
      : "presence" in wire
        ? { kind: "presence" }
        : { kind: "gossiped certificate", ...wire };
  return JSON.stringify(shown, (key, value: unknown) => {
    if (key === "config" && typeof value === "object" && value !== null && "voters" in value)
      return configText(value);
    const hidden = ["signature", "votes", "approvals", "last", "via", "founding"].includes(key);
    return hidden ? undefined : typeof value === "string" ? nameText(value) : value;
  }).replaceAll('"', "");
}

function configText(config: object): string {
  const { cterm, version, voters } = { cterm: 0, version: 0, voters: [], ...config };
  return `${cterm}.${version} of ${(voters as { peer: string }[]).map(({ peer }) => nameText(peer)).join(" ")}`;
}

function nameText(text: string): string {
  const node = peers.findIndex((peer) => peer === text);
  return node < 0 ? text : `n${node}`;
}
