import { PROFILES } from "@chorus/election/testing";
import { createSigner, type PeerId } from "@chorus/kernel";
import { type Host, sim, type Simulator, type System, type World } from "@chorus/sim";
import type { ElectionPeer, Mesh } from "../election/peer.ts";
import { harms } from "../election/invariants.ts";
import type { Course } from "./course.ts";
import { mutants, type Rulebook, rulebookOf } from "./mutants.ts";
import { Outside } from "./outside.ts";
import { type Pattern, patterns } from "./patterns.ts";
import { StackPeer } from "./peer.ts";
import { PROMISES } from "./promises.ts";
import { Run } from "./run.ts";
import type { Wire } from "./wire.ts";

const MAX_PEERS = 7;
const DURATION_MS = 37_000;
const HEAL_MS = 18_000;
/** Every peer does something in this time. */
const LAST_LOOK_MS = 1500;

const peers: readonly PeerId[] = (
  await Promise.all(Array.from({ length: MAX_PEERS }, (_, i) => createSigner(new Uint8Array(32).fill(i + 1))))
)
  .map(({ peer }) => peer)
  .toSorted();

type Node = StackPeer | Outside;

/** Nothing happens by chance but the clocks' drift. */
const ONLY_PATTERNS = {
  crash: 0,
  pause: 0,
  suspend: 0,
  "full-disk": 0,
  partition: 0,
  cut: 0,
  slow: 0,
  drop: 0,
  duplicate: 0,
  reorder: 0,
  action: 0,
};

interface Setting {
  readonly course: Course;
  readonly rules: Rulebook;
  readonly mutant: string | undefined;
  readonly only: readonly Pattern[] | undefined;
  readonly onCommitted: ((text: string) => void) | undefined;
}

/** A simulator of `nodes` peers, and one more node for all that is outside of the mesh. */
export function simulator(options: {
  readonly course: Course;
  readonly nodes: number;
  readonly mutant?: string;
  /** Told what was committed, in all runs. */
  readonly onCommitted?: (text: string) => void;
}): Simulator {
  const { course, nodes, mutant, onCommitted } = options;
  const reconfigures = course === "changing" ? 4 : 1;
  const only = mutants[mutant ?? ""]?.patterns;
  if (nodes > MAX_PEERS) throw new RangeError(`at most ${MAX_PEERS} peers`);
  return sim(systemOf({ course, rules: rulebookOf(mutant), mutant, only, onCommitted }), {
    nodes: nodes + 1,
    durationMs: DURATION_MS,
    healMs: HEAL_MS,
    healWithinMs: HEAL_MS - 1000,
    delayMs: [1, 40],
    drift: 0.05,
    weights: only === undefined ? { pattern: 6, crash: 4, pause: 2, action: reconfigures } : ONLY_PATTERNS,
  });
}

function systemOf({
  course,
  rules,
  mutant,
  only,
  onCommitted = () => undefined,
}: Setting): System<Wire, Node> {
  const asked = mutants[mutant ?? ""]?.kinds;
  const kinds = asked === undefined ? {} : { kinds: asked };
  let run = new Run(rules.machine(), { peers, onCommitted, ...kinds });
  return {
    invariants: () => {
      run = new Run(rules.machine(), { peers, onCommitted, ...kinds });
      return promisesOf(run);
    },
    boot: (host) => (host.self === host.nodes - 1 ? new Outside(host, run) : bootPeer(host)),
    ...(mutant === undefined
      ? { eventually: { "everything acknowledged ends": () => run.clients.allEnded() } }
      : {}),
    actions: actionsOf(course),
    leader: ({ nodes }) => leaderOf(nodes),
    patterns: only ?? patterns(course),
    describe,
  };

  function bootPeer(host: Host<Wire>): StackPeer {
    return new StackPeer(host, { mesh: meshOf(course, host, rules), ledgerRules: rules.ledger, run, mutant });
  }
}

function meshOf(course: Course, { nodes }: Host<Wire>, { election: rules }: Rulebook): Mesh {
  const count = course === "fixed" ? nodes - 1 : Math.ceil(nodes / 2);
  const voters = peers.slice(0, count);
  return { peers, voters, settings: { hasLog: true }, timing: PROFILES.lan, rules };
}

type Invariant<Running> = (world: World<Running>) => string | undefined;

/** The promises of the run, and at its peers those of the election that the rest of the stack leans on. */
function promisesOf(run: Run): Record<string, Invariant<Node>> {
  const { [ONE_ADMIN]: oneAdmin, [ONE_LEASE]: oneLease, [ONE_CONFIG]: oneConfig } = harms();
  const view = electionView();
  const broken = PROMISES.map((name): [string, Invariant<Node>] => [name, () => run.broken.get(name)]);
  return {
    // Before the others: what it finds is theirs to tell.
    onlooker(world) {
      run.check(world);
      if (world.now > DURATION_MS - LAST_LOOK_MS) run.end();
      return undefined;
    },
    ...Object.fromEntries(broken),
    [ONE_LEASE]: (world) => oneLease?.(view(world)),
    [ONE_ADMIN]: whenNew(
      ({ certificate }) => certificate,
      (world) => oneAdmin?.(view(world)),
    ),
    [ONE_CONFIG]: whenNew(
      ({ config }) => config,
      (world) => oneConfig?.(view(world)),
    ),
  };
}

const ONE_ADMIN = "one admin per term";
const ONE_LEASE = "one lease";
const ONE_CONFIG = "one configuration per version";

/** Asks only where a part of the election's state is another than before: it is asked after each event. */
function whenNew(
  part: (state: ElectionPeer["state"]) => unknown,
  invariant: Invariant<Node>,
): Invariant<Node> {
  const known = new Map<number, unknown>();
  return (world) => {
    const { touched = -1, nodes } = world;
    const running = nodes[touched]?.running;
    if (!(running instanceof StackPeer)) return undefined;
    const now = part(running.election.state);
    if (now === undefined || known.get(touched) === now) return undefined;
    known.set(touched, now);
    return invariant(world);
  };
}

/** The world as the election's invariants know it. */
function electionView(): (world: World<Node>) => World<ElectionPeer> {
  let nodes: World<ElectionPeer>["nodes"] | undefined;
  return (world) => {
    nodes ??= world.nodes.slice(0, -1).map((node) => ({
      id: node.id,
      get frozen() {
        return node.frozen;
      },
      get running() {
        return node.running instanceof StackPeer ? node.running.election : undefined;
      },
      now: () => node.now(),
      durable: (file) => node.durable(file),
    }));
    const { now, touched, healed } = world;
    return { now, touched, healed, nodes };
  };
}

function leaderOf(nodes: World<Node>["nodes"]): number | undefined {
  for (const role of ["admin", "candidate", "pre-candidate"])
    for (const { id, running } of nodes)
      if (running instanceof StackPeer && running.election.state.role === role) return id;
  return undefined;
}

function actionsOf(course: Course): NonNullable<System<Wire, Node>["actions"]> {
  const atPeer = (act: (peer: StackPeer, choice: number) => void) => (node: Node, choice: number) => {
    if (node instanceof StackPeer) act(node, choice);
  };
  const always = {
    "hand-over": atPeer(({ election }) => election.feed({ kind: "hand-over" })),
    "lose-connection": atPeer(({ election }, choice) =>
      election.loseConnection(Math.floor(choice * MAX_PEERS)),
    ),
  };
  return course === "fixed" ? always : { ...always, reconfigure: atPeer(reconfigure) };
}

/** Adds or removes one voter. */
function reconfigure({ election }: StackPeer, choice: number): void {
  const { config } = election.state;
  const { members } = election;
  const peer = members[Math.floor(choice * members.length)];
  if (config === undefined || peer === undefined) return;
  const without = config.voters.filter((voter) => voter.peer !== peer);
  const isIn = without.length < config.voters.length;
  const voters = isIn ? without : [...config.voters, { peer, eligible: true, priority: 0 }];
  election.feed({ kind: "reconfigure", voters });
}

function describe(wire: Wire): string {
  return JSON.stringify(wire, (key, value: unknown) => {
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    const hidden = ["checksum", "signature", "votes", "approvals", "founding", "config"].includes(key);
    return hidden ? undefined : value;
  }).replaceAll('"', "");
}
