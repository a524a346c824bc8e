import { moment as now } from "../../mesh/history.ts";
import type { Way } from "../../mesh/places.ts";
import type { Agent } from "../agents.ts";
import type { Stage } from "../stage.ts";

/** A commit that was under way when the network was cut may still be answered. */
const IN_FLIGHT_MS = 200;

/**
 * Two against three. Somebody on the smaller side works on a task; the same request goes to both sides, and others to
 * one only. The smaller side answers `pending` and commits nothing; after the heal all is done, once.
 */
export async function partition(stage: Stage): Promise<void> {
  const { place } = stage.agents;
  if (place.lose === undefined) return;
  const starting = stage.hit("run:started");
  const worked = await stage.insist(stage.key(), { effects: "none" });
  const hit = await starting;
  const small = await smallSide(stage, hit?.agent);
  const large = stage.others(small);
  place.lose(waysBetween(small, large));
  const from = now() + IN_FLIGHT_MS;
  stage.write({
    kind: "done",
    at: now(),
    peer: small.map(({ label }) => label).join(),
    moment: "partition",
    action: "cut",
  });
  const making = hit === undefined ? undefined : makeInVain(stage, hit.agent, worked);
  await stage.pause(1, IN_FLIGHT_MS);
  const keys = await askBothSides(stage, small, large);
  // The larger side finds an admin, takes the lease from the one it lost, and finishes what it can.
  await stage.ended([worked, ...keys.large], large);
  await making;
  await stage.pause(2_000);
  stage.write({ kind: "cut", from, to: now(), minority: labels(small), majority: labels(large) });
  place.lose([]);
  stage.made("partition");
  await stage.whole();
  if ((await making) === true)
    await stage.until("the loser's work as evidence", async () => {
      const views = await Promise.all(stage.agents.awake.map((agent) => stage.client.show(agent, worked)));
      return views.every((view) => (view?.superseded?.length ?? 0) > 0);
    });
  await stage.ended([worked, ...keys.large, ...keys.small]);
}

/** The worker goes on and has its result, which nobody can order. @returns whether it came so far */
async function makeInVain(stage: Stage, worker: Agent, task: string): Promise<boolean> {
  const held = await stage.holder(task, worker);
  // A new order lets go of what the former one held.
  const made = await stage.hit("task-complete:asked", { among: [worker], task });
  stage.agents.release(worker);
  if (made === undefined || held?.agent !== worker) return false;
  stage.write({ kind: "loser", at: now(), peer: worker.label, task, token: held.lease.token });
  return true;
}

/** Mostly with the admin, always with the worker. */
async function smallSide(stage: Stage, worker: Agent | undefined): Promise<readonly Agent[]> {
  const admin = await stage.admin();
  const wanted = stage.chance.oneIn(4) ? [worker] : [worker, admin];
  const side = [...new Set(wanted.flatMap((agent) => (agent === undefined ? [] : [agent])))];
  const rest = [...stage.others(side)];
  while (side.length < 2) side.push(...rest.splice(stage.chance.below(rest.length), 1));
  return side;
}

/** @returns the tasks that the larger side has, and all that the smaller side was asked for */
async function askBothSides(
  stage: Stage,
  small: readonly Agent[],
  large: readonly Agent[],
): Promise<{ readonly large: readonly string[]; readonly small: readonly string[] }> {
  const [same, here, there] = [stage.key(), stage.key(), stage.key()];
  const pending = await Promise.all(
    [same, here].map(async (key) => {
      const answer = await stage.ask(stage.chance.pick(small), key);
      if (answer === undefined) throw new Error("a peer of the smaller side does not answer");
      stage.made(`minority said ${answer.status}`);
      return answer.task;
    }),
  );
  const taken = await Promise.all(
    [same, there].map((key) => stage.insist(key, {}, stage.chance.pick(large))),
  );
  return { large: taken, small: pending };
}

function waysBetween(some: readonly Agent[], others: readonly Agent[]): readonly Way[] {
  return some.flatMap((a) =>
    others.flatMap((b): Way[] => [
      [a.number, b.number],
      [b.number, a.number],
    ]),
  );
}

function labels(agents: readonly Agent[]): readonly string[] {
  return agents.map(({ label }) => label);
}
