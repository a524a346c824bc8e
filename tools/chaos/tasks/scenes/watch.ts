import type { Agent } from "../agents.ts";
import type { Stage } from "../stage.ts";

/** Enough for some seventy events; the pauses let them come one by one. */
const WORK = {
  commands: Array.from({ length: 32 }, (_, step) => ({ run: `sleep 0.03; echo step ${step}` })),
};
const LAST_SEEN = 40;

/** A task's events are followed at a peer that is killed at event 40, and from 41 on at another one. */
export async function watch(stage: Stage): Promise<void> {
  const starting = stage.hit("run:started");
  const task = await stage.insist(stage.key(), WORK);
  const held = await starting;
  const [near, far, third] = stage.others(held === undefined ? [] : [held.agent]);
  if (near === undefined || far === undefined || third === undefined) throw new Error("nobody to watch at");
  await known(stage, task, [near, far, third]);
  const broken = stage.client.watch(task, [
    { agent: near, until: LAST_SEEN, after: () => stage.kill(near, "watched") },
    { agent: far },
  ]);
  const whole = stage.client.watch(task, [{ agent: third }]);
  if (held !== undefined) stage.agents.release(held.agent);
  const seen = await Promise.all([broken, whole]);
  await stage.ended([task]);
  await stage.whole();
  const last = (await stage.client.show(far, task))?.lastSeq ?? 0;
  if (seen.some((count) => count !== last))
    throw new Error(`of ${last} events the watches saw ${seen.join(" and ")}`);
  if (last > LAST_SEEN) stage.made(`watch broken at event ${LAST_SEEN}`);
  // Once more from the beginning, at the peer that was killed.
  await stage.ended([task]);
  await stage.client.watch(task, [{ agent: near }]);
}

async function known(stage: Stage, task: string, at: readonly Agent[]): Promise<void> {
  await stage.until("the task at all who are watched", async () => {
    const views = await Promise.all(at.map((agent) => stage.client.show(agent, task)));
    return views.every((view) => view !== undefined);
  });
}
