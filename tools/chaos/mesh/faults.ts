import { moment } from "./history.ts";
import type { Place, Way } from "./places.ts";
import type { Scene } from "./scene.ts";
import { deafBound, PAST_LEASE_MS } from "./timing.ts";

/** Does something to the admin, lets the mesh find another, takes it back. @returns the name of what was drawn */
export type Fault = (scene: Scene) => Promise<string>;

export const FAULTS = { kill, stop, leave, "one-way": oneWay, partition } as const satisfies Record<
  string,
  Fault
>;
export type FaultName = keyof typeof FAULTS;

/** All that are possible there. */
export function faultsOn({ lose: possible }: Place): readonly FaultName[] {
  const names: FaultName[] = ["kill", "stop", "leave"];
  return possible === undefined ? names : [...names, "one-way", "partition"];
}

/** SIGKILL; it comes back on the same disk, perhaps before the others have missed it. */
async function kill(scene: Scene): Promise<string> {
  const { fleet, boundMs } = scene;
  const fault = "kill";
  const admin = await scene.admin();
  scene.begin(fault, admin);
  await fleet.signal(admin, "SIGKILL");
  const from = moment();
  const back = scene.pause(5_000).then(() => fleet.start(admin));
  await scene.survive({ fault, members: fleet.peers, from, boundMs, orphaned: true }, () => back);
  return fault;
}

/** SIGSTOP past the lease, mostly until there is another admin, then SIGCONT. */
async function stop(scene: Scene): Promise<string> {
  const { fleet, chance, boundMs } = scene;
  const short = chance.oneIn(4);
  const fault = short ? "stop past the lease only" : "stop";
  const admin = await scene.admin();
  scene.begin(fault, admin);
  await fleet.signal(admin, "SIGSTOP");
  const from = moment();
  const members = scene.others([admin]);
  if (short) await scene.pause(500, PAST_LEASE_MS);
  else await scene.survive({ fault, members, from, boundMs, orphaned: true }, () => scene.pause(4_000));
  await fleet.signal(admin, "SIGCONT");
  return fault;
}

/** SIGTERM: the admin hands over and goes; it comes back on the same disk. */
async function leave(scene: Scene): Promise<string> {
  const { fleet, boundMs } = scene;
  const fault = "leave";
  const admin = await scene.admin();
  const from = scene.begin(fault, admin);
  const back = fleet
    .signal(admin, "SIGTERM")
    .then(() => scene.pause(2_000))
    .then(() => fleet.start(admin));
  const members = scene.others([admin]);
  await scene.survive({ fault, members, from, boundMs, orphaned: true }, () => back);
  return fault;
}

/** What is lost between the admin and others, in one direction. */
async function oneWay(scene: Scene): Promise<string> {
  const { fleet, chance } = scene;
  const admin = await scene.admin();
  const voters = fleet.peers.length;
  const partly = chance.oneIn(4);
  const deaf = chance.oneIn(2);
  // With so many the admin keeps its quorum.
  const far = partly ? scene.some(scene.others([admin]), Math.ceil(voters / 2) - 1) : scene.others([admin]);
  const fault = `one-way, ${partly ? "half " : ""}${deaf ? "deaf" : "mute"} admin`;
  scene.begin(fault, admin);
  lose(
    scene,
    far.map((other) => (deaf ? [other, admin] : [admin, other])),
  );
  const from = moment();
  const boundMs = deaf ? deafBound(voters) : scene.boundMs;
  const members = scene.others(partly ? far : [admin]);
  await scene.survive({ fault, members, from, boundMs, orphaned: !partly }, () =>
    scene.pause(3_000, partly ? 4_000 : 0),
  );
  lose(scene, []);
  return fault;
}

/** Two sides that hear nothing of each other; the admin is mostly on the smaller one. */
async function partition(scene: Scene): Promise<string> {
  const { fleet, chance, boundMs } = scene;
  const admin = await scene.admin();
  const orphaned = !chance.oneIn(4);
  const minority = Math.ceil(fleet.peers.length / 2) - 1;
  const others = scene.others([admin]);
  const small = orphaned ? [admin, ...scene.some(others, minority - 1)] : scene.some(others, minority);
  const large = scene.others(small);
  const fault = `partition, admin on the ${orphaned ? "smaller" : "larger"} side`;
  scene.begin(fault, admin);
  lose(
    scene,
    small.flatMap((a) =>
      large.flatMap((b): Way[] => [
        [a, b],
        [b, a],
      ]),
    ),
  );
  const from = moment();
  await scene.survive({ fault, members: large, from, boundMs, orphaned }, () =>
    scene.pause(8_000, orphaned ? 0 : 3_000),
  );
  lose(scene, []);
  return fault;
}

function lose({ fleet }: Scene, ways: readonly Way[]): void {
  if (fleet.place.lose === undefined) throw new Error(`no packets can be lost on ${fleet.place.name}`);
  fleet.place.lose(ways);
}
