import { moment as now } from "../../mesh/history.ts";
import { PHASES } from "../moments.ts";
import type { Stage } from "../stage.ts";

/** Tasks are in every state while the admin hands over: it goes in order, or is killed in the middle of it. */
export async function handOver(stage: Stage): Promise<void> {
  const admin = await stage.admin();
  const others = stage.others([admin]);
  const keys = Array.from({ length: 4 }, () => stage.key());
  const first = keys
    .slice(0, 2)
    .map((key) => stage.insist(key, { commands: [{ run: "sleep 0.4; echo over" }] }));
  await stage.pause(1_200);
  const killed = stage.chance.oneIn(2);
  const phase = stage.chance.pick(PHASES);
  const waiting = killed ? stage.hit(`hand-over:${phase}`, { among: [admin] }) : undefined;
  stage.write({ kind: "done", at: now(), peer: admin.label, moment: "hand-over", action: "SIGTERM" });
  stage.agents.leave(admin);
  const second = keys.slice(2).map((key) => stage.insist(key, {}, stage.chance.pick(others)));
  if ((await waiting) !== undefined) await stage.kill(admin, `hand-over:${phase}`);
  await stage.until("the former admin to go", async () => admin.process === undefined);
  if (!killed) stage.made("hand-over to its end");
  const tasks = await Promise.all([...first, ...second]);
  await stage.ended(tasks);
  await stage.whole();
  await stage.ended(tasks);
}
