import type { Figure } from "./figure.ts";
import { growth } from "./tasks/growth.ts";
import { nextCommit } from "./tasks/next-commit.ts";
import { takeover } from "./tasks/takeover.ts";
import { throughput } from "./tasks/throughput.ts";

export const topic = "tasks";

/** Durable tasks, ours and others': how many, how soon after a death, and what size costs. */
export async function* run(): AsyncIterable<Figure> {
  yield* throughput();
  yield* takeover();
  yield* nextCommit();
  yield* growth();
}
