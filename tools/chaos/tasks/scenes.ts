import { handOver } from "./scenes/hand-over.ts";
import { KILLS, killAfterAck, killAt, killWhoTells } from "./scenes/kill.ts";
import { partition } from "./scenes/partition.ts";
import { watch } from "./scenes/watch.ts";
import { zombie } from "./scenes/zombie.ts";
import type { Stage } from "./stage.ts";

/** One thing that happens to a whole mesh, which is whole again afterwards. */
export type Scene = (stage: Stage) => Promise<void>;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names of an object literal
const kills = Object.keys(KILLS) as (keyof typeof KILLS)[];

export const SCENES: ReadonlyMap<string, Scene> = new Map<string, Scene>([
  ["submit-acked", killAfterAck],
  ...kills.map((moment) => [moment, (stage: Stage) => killAt(stage, moment)] as const),
  ["task-expire:under-way", killWhoTells],
  ["hand-over", handOver],
  ["zombie", (stage) => zombie(stage)],
  ["zombie at task-complete:asked", (stage) => zombie(stage, "task-complete:asked")],
  ["zombie at effect:permitted", (stage) => zombie(stage, "effect:permitted")],
  ["partition", partition],
  ["watch", watch],
]);

/** Three for each round: consecutive rounds go through all of them, evenly. */
export function scenesOf(seed: number, count = 3): readonly string[] {
  const names = [...SCENES.keys()];
  return Array.from({ length: count }, (_, i) => names[((seed - 1) * count + i) % names.length] ?? "");
}
