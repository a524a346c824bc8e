import { taskMachine } from "@chorus/coordinator";
import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import { random, type Random } from "../random.ts";
import { CLUSTER, makePeers, nextCommand, type Peer, type Sent } from "../tasks/commands.ts";
import { mutants, type Entry, type Machine, type Task } from "../tasks/machine.ts";
import { Onlooker } from "../tasks/promises.ts";

export const about: Scenario["about"] = `tasks submitted, claimed, renewed, expired, finished and cancelled through the coordinator's ledger machine, with commands that come late, twice and under stale tokens (mutants: ${Object.keys(mutants).join(", ")})`;

const STEPS = 400;

/** Peers act at random; the network between them and the ledger delays, reorders, repeats and loses. */
export async function run(seed: number, { nodes, mutant }: ScenarioOptions): Promise<Violations> {
  const chance = random(seed);
  const peers = await makePeers(nodes);
  const machine = machineFor(mutant);
  const onlooker = new Onlooker();
  const table = machine.initial();
  const log: Entry[] = [];
  const underway: Sent[] = [];
  let term = 1;
  for (let step = 0; step < STEPS; step++) {
    if (chance.oneIn(60)) term++;
    if (chance.oneIn(40)) restart(chance.pick(peers), chance);
    const fresh = await nextCommand(chance, peers, table);
    if (fresh) underway.push(fresh);
    const sent = deliver(underway, chance);
    if (sent === undefined) continue;
    const entry = { index: log.length + 1, term, command: sent.bytes };
    log.push(entry);
    const { result } = machine.apply(table, entry);
    const after = table.tasks.get(result.status === "applied" ? result.taskId : subjectOf(sent));
    onlooker.watch({ sent, result, after });
    remember(peers, sent, after);
  }
  onlooker.finish(table);
  return [...onlooker.broken, ...differences(machine, log, table)];
}

function machineFor(mutant: string | undefined): Machine {
  const machine = taskMachine({ cluster: CLUSTER });
  if (mutant === undefined) return machine;
  const plant = mutants[mutant];
  if (plant === undefined) throw new RangeError(`unknown mutant; known: ${Object.keys(mutants).join(", ")}`);
  return plant(machine);
}

/** Takes one command out of the network: any of those underway, sometimes without removing it, sometimes none. */
function deliver(underway: Sent[], chance: Random): Sent | undefined {
  if (underway.length === 0 || chance.oneIn(8)) return undefined;
  const at = chance.oneIn(2) ? underway.length - 1 : chance.below(underway.length);
  const sent = underway[at];
  if (!chance.oneIn(6)) underway.splice(at, 1);
  return sent;
}

/** A new process under the old name: it has lost some of what it held. */
function restart(peer: Peer, chance: Random): void {
  peer.session++;
  if (chance.oneIn(2)) peer.leases.length = 0;
}

function subjectOf({ body }: Sent): string {
  return typeof body["task"] === "string" ? body["task"] : "";
}

/** The holder learns of its lease; it never learns by itself that it has lost it. */
function remember(peers: readonly Peer[], sent: Sent, after: Task | undefined): void {
  const { lease } = after ?? {};
  if (sent.type !== "task-claim" || after === undefined || lease?.holder !== sent.from) return;
  const peer = peers.find(({ signer }) => signer.peer === sent.from);
  peer?.leases.push({ task: after.id, token: lease.token });
}

/** Every peer that applies the same log has the same tasks. */
function differences(
  machine: Machine,
  log: readonly Entry[],
  table: ReturnType<Machine["initial"]>,
): Violations {
  const again = machine.initial();
  for (const entry of log) machine.apply(again, entry);
  return JSON.stringify([...again.tasks]) === JSON.stringify([...table.tasks])
    ? []
    : ["the same log gave two different states"];
}
