import { moment as now } from "../../mesh/history.ts";
import type { Moment } from "../moments.ts";
import type { Stage } from "../stage.ts";

/** Where a worker is stopped; with `task-complete:asked` it wakes up with its result in its hands. */
const FREEZES = [
  "run:started",
  "run:finished",
  "effect-intent:asked",
  "effect:made",
  "task-complete:asked",
] as const satisfies readonly Moment[];

/** A worker is stopped past its lease, another one finishes its task, and it goes on where it was. */
export async function zombie(stage: Stage, at: Moment = stage.chance.pick(FREEZES)): Promise<void> {
  const waiting = stage.hit(at);
  const task = await stage.insist(stage.key());
  const hit = await waiting;
  if (hit === undefined) return stage.ended([task]);
  const others = stage.others([hit.agent]);
  const holder = await stage.holder(task, stage.chance.pick(others));
  const stopped = now();
  stage.agents.freeze(hit.agent, true);
  stage.write({ kind: "done", at: stopped, peer: hit.agent.label, moment: at, action: "SIGSTOP" });
  await stage.ended([task], others);
  // It stands at the moment that it was stopped at, and goes on from there with all that it believes.
  stage.agents.release(hit.agent);
  stage.agents.freeze(hit.agent, false);
  const resumed = now();
  if (holder?.agent === hit.agent) {
    stage.write({ kind: "zombie", peer: hit.agent.label, task, token: holder.lease.token, stopped, resumed });
    stage.made(`zombie at ${at}`);
  }
  await stage.whole();
  await stage.ended([task]);
}
