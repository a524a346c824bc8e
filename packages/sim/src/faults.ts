import type { MachineClock } from "./clock.ts";
import type { Fault, Target } from "./contract.ts";
import type { MachineDisk } from "./disk.ts";
import type { Network } from "./network.ts";

/** A machine, as far as faults know it. */
export interface Patient {
  readonly id: number;
  readonly disk: MachineDisk;
  readonly clock: MachineClock;
  /** Its process, which `epoch` counts; undefined while there is none. */
  readonly running: unknown;
  readonly epoch: number;
  /** Faults that keep it down, paused, suspended. */
  down: number;
  paused: number;
  suspended: number;
  /** What happens when it next syncs. */
  readonly doom: Set<() => void>;
  /** After any change of its clock. */
  rearm(): void;
}

/** Where faults strike. */
export interface Stage {
  readonly nodes: readonly Patient[];
  readonly now: number;
  readonly network: Network;
  /** @returns undefined when nobody is it */
  readonly resolve: (target: Target) => Patient | undefined;
  stop(node: Patient, unsynced: "kept" | "lost" | "torn"): void;
  /** Starts what is no longer kept down, and hands over what waited for a machine that goes on. */
  settle(node: Patient): void;
  act(node: Patient, name: string, choice: number): void;
}

type Of<Kind extends Fault["kind"]> = Extract<Fault, { readonly kind: Kind }>;
type End = (() => void) | undefined;

/** Begins a fault. @returns what ends it; undefined when it struck nobody or is over at once */
export function strike(fault: Fault, stage: Stage): End {
  if (fault.kind === "partition") return partition(fault, stage);
  if ("from" in fault) return impair(fault, stage);
  if ("chance" in fault) {
    const { weather } = stage.network;
    const { kind, chance } = fault;
    weather[kind] += chance;
    return () => void (weather[kind] -= chance);
  }
  const node = stage.resolve(fault.node);
  return node && strikeNode(fault, node, stage);
}

function strikeNode(fault: Extract<Fault, { readonly node: Target }>, node: Patient, stage: Stage): End {
  switch (fault.kind) {
    case "crash":
      return crash(fault, node, stage);
    case "pause":
      return pause(node, stage);
    case "suspend":
      return suspend(node, stage);
    case "full-disk":
      return spoil(node, "full");
    case "lost-sync":
      return spoil(node, "lying");
    case "drift":
      return setRate(node, fault.rate, stage);
    case "action":
      stage.act(node, fault.name, fault.choice);
  }
  return undefined;
}

function crash({ unsynced, moment }: Of<"crash">, node: Patient, stage: Stage): End {
  let struck = false;
  const die = (): void => {
    struck = true;
    node.down++;
    stage.stop(node, unsynced);
  };
  if (moment === "now") die();
  else node.doom.add(die);
  return () => {
    node.doom.delete(die);
    if (!struck) return;
    node.down--;
    stage.settle(node);
  };
}

/** The pause of a process ends with the process. */
function pause(node: Patient, stage: Stage): End {
  if (node.running === undefined) return undefined;
  const { epoch } = node;
  node.paused++;
  return () => {
    if (node.epoch !== epoch) return;
    node.paused--;
    stage.settle(node);
  };
}

function suspend(node: Patient, stage: Stage): End {
  const change = (by: 1 | -1): void => {
    node.suspended += by;
    node.clock.suspend(node.suspended > 0, stage.now);
    node.rearm();
  };
  change(1);
  return () => {
    change(-1);
    stage.settle(node);
  };
}

function spoil({ disk }: Patient, what: "full" | "lying"): End {
  disk[what]++;
  return () => void disk[what]--;
}

function setRate(node: Patient, rate: number, stage: Stage): End {
  const set = (value: number): void => {
    node.clock.setRate(value, stage.now);
    node.rearm();
  };
  set(rate);
  return () => set(1);
}

function partition({ side }: Of<"partition">, { nodes, network, resolve }: Stage): End {
  const members = new Set(side.map((target) => resolve(target)));
  const split = (by: 1 | -1): void => {
    for (const from of nodes)
      for (const to of nodes) if (members.has(from) !== members.has(to)) network.block(from.id, to.id, by);
  };
  split(1);
  return () => split(-1);
}

function impair(fault: Of<"cut" | "slow">, { network, resolve }: Stage): End {
  const from = resolve(fault.from)?.id;
  const to = resolve(fault.to)?.id;
  if (from === undefined || to === undefined || from === to) return undefined;
  if (fault.kind === "cut") {
    network.block(from, to, 1);
    return () => network.block(from, to, -1);
  }
  network.slow(from, to, fault.byMs);
  return () => network.slow(from, to, -fault.byMs);
}
