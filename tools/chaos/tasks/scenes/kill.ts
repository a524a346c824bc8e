import type { Agent, Hit } from "../agents.ts";
import type { Moment } from "../moments.ts";
import type { Stage } from "../stage.ts";

/** A run that lasts for several renewals of its lease, and one with steps to tell of. */
const LONG = { commands: [{ run: "sleep 1.5; echo long" }] };
const TOLD = { commands: ["one", "two", "three"].map((word) => ({ run: `echo ${word}` })) };

/** The moments at which a peer is killed, and what the task has to be for them to come. */
export const KILLS = {
  "task-submit:asked": {},
  "task-submit:under-way": {},
  "task-submit:answered": {},
  "task-claim:asked": {},
  "task-claim:under-way": {},
  "task-claim:answered": {},
  "run:started": {},
  "task-progress:under-way": TOLD,
  "task-renew:under-way": LONG,
  "run:finished": {},
  "effect-intent:asked": {},
  "effect-intent:under-way": {},
  "effect-intent:answered": {},
  "effect:permitted": {},
  "effect:made": {},
  "effect-receipt:asked": {},
  "effect-receipt:under-way": {},
  "effect-receipt:answered": {},
  "task-complete:asked": {},
  "task-complete:under-way": {},
  "task-complete:answered": {},
} as const;

/** A peer is killed at a moment of its work: mostly the one whose moment it is, else the admin that has to order it. */
export async function killAt(stage: Stage, moment: Moment & keyof typeof KILLS): Promise<void> {
  const work = KILLS[moment];
  const [key, beside] = [stage.key(), stage.key()];
  const entry = stage.chance.pick(stage.agents.awake);
  const waiting = stage.hit(moment);
  const asking = Promise.all([stage.insist(key, work, entry), stage.insist(beside, work)]);
  const hit = await waiting;
  const victim = hit === undefined ? undefined : await victimOf(stage, hit);
  if (hit !== undefined && victim !== undefined) {
    // Anywhere on the way of the message, and of the answer to it.
    if (moment.endsWith("under-way")) await stage.pause(12);
    await stage.kill(
      victim,
      victim === hit.agent ? moment : `${moment} of peer ${hit.agent.label}, as admin`,
    );
    if (victim !== hit.agent) {
      stage.made(`${moment}, and the admin is killed`);
      stage.agents.release(hit.agent);
    }
  }
  const tasks = await asking;
  if (victim === undefined) return stage.ended(tasks);
  await comeBack(stage, victim, tasks);
}

/** A peer has said that it has a task, and is gone. */
export async function killAfterAck(stage: Stage): Promise<void> {
  const entry = stage.chance.pick(stage.agents.awake);
  const key = stage.key();
  const answer = await stage.ask(entry, key);
  if (answer === undefined) throw new Error("a whole mesh does not answer");
  stage.made("submit-acked");
  await stage.kill(entry, "submit-acked");
  await comeBack(stage, entry, [answer.task]);
}

/** The holder dies, and then the one who says so, while it says so. */
export async function killWhoTells(stage: Stage): Promise<void> {
  const starting = stage.hit("run:started");
  const task = await stage.insist(stage.key());
  const held = await starting;
  if (held === undefined) return stage.ended([task]);
  const telling = stage.hit("task-expire:under-way", { among: stage.others([held.agent]) });
  await stage.kill(held.agent, "run:started");
  const told = await telling;
  if (told !== undefined) {
    await stage.pause(12);
    await stage.kill(told.agent, "task-expire:under-way");
  }
  await stage.ended([task]);
  await stage.whole();
}

async function victimOf(stage: Stage, { agent, moment }: Hit): Promise<Agent> {
  if (!moment.endsWith("under-way") || !stage.chance.oneIn(3)) return agent;
  return stage.admin();
}

/** Back on the same disk, perhaps before the others have missed it, perhaps after all is done. */
async function comeBack(stage: Stage, victim: Agent, tasks: readonly string[]): Promise<void> {
  const late = stage.chance.oneIn(2);
  if (late) await stage.ended(tasks);
  else await stage.pause(1_500);
  await stage.agents.start(victim);
  await stage.ended(tasks);
  await stage.whole();
}
