import { moment as now } from "../../mesh/history.ts";
import type { Agent } from "../agents.ts";
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

const SEEN_MS = 10_000;

/** A worker is stopped past its lease, another one finishes its task, and it goes on where it was. */
export async function zombie(stage: Stage, at: Moment = stage.chance.pick(FREEZES)): Promise<void> {
  const waiting = stage.hit(at);
  const task = await stage.insist(stage.key());
  const hit = await waiting;
  if (hit === undefined) return stage.ended([task]);
  const others = stage.others([hit.agent]);
  const holder = await holderSeen(stage, task, hit.agent);
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

/** Its lease, as soon as another peer has seen it; held as it is, the worker goes on renewing it. */
async function holderSeen(stage: Stage, task: string, worker: Agent): ReturnType<Stage["holder"]> {
  const [asked] = stage.others([worker]);
  let holder: Awaited<ReturnType<Stage["holder"]>>;
  const isSeen = async (): Promise<boolean> => {
    holder = asked === undefined ? undefined : await stage.holder(task, asked);
    return holder?.agent === worker;
  };
  await stage.until("the lease of a worker that is held", isSeen, SEEN_MS).catch(() => undefined);
  return holder;
}
