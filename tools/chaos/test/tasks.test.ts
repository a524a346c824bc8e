import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loopbackNamespace, namespacesMissing } from "../mesh/namespaces.ts";
import { machineLoopback, type Place } from "../mesh/places.ts";
import type { Mutant } from "../tasks/mutants.ts";
import { race } from "../tasks/race.ts";
import { round } from "../tasks/round.ts";
import { SCENES, scenesOf } from "../tasks/scenes.ts";
import { Tally } from "../tasks/tally.ts";
import { ownFolder } from "./fixtures/own-folder.ts";

const LIMIT = { timeout: 900_000 };
const missing = namespacesMissing();
if (missing !== undefined) console.log(`no network namespaces (${missing}): no partition is tested`);

const folder = ownFolder();

const gitMissing = spawnSync("git", ["--version"]).error !== undefined;
if (gitMissing) console.log("git is not installed: agents are not tested while they push");

describe.skipIf(gitMissing).concurrent("a mesh of agents", LIMIT, () => {
  it("keeps its promises to five agents' clients, whatever dies", async () => {
    using place = await anyPlace(5);
    const scenes = ["task-complete:under-way", "zombie at effect:permitted", "partition"];
    const tally = new Tally();
    const { violations, counts } = await round({
      place,
      seed: 7,
      agents: 5,
      scenes,
      mutants: [],
      tally,
    });
    expect(violations).toEqual([]);
    expect(tally.hits("task-complete:under-way")).toBe(1);
    expect(counts).toMatchObject({ lives: 6, zombies: 1 });
    expect(counts["effects made"]).toBe(2 * ((counts["tasks"] ?? 0) - (missing === undefined ? 1 : 0)));
    expect(counts["cuts"]).toBe(missing === undefined ? 1 : 0);
    // The smaller side was asked twice; a larger side without an admin yet may have said so too.
    if (missing === undefined) expect(counts["pending"]).toBeGreaterThanOrEqual(2);
  });

  it("is caught acknowledging what it has not ordered", async () => {
    const violations = await planted(["early-ack"], "submit-acked");
    expect(violations).toContainEqual(expect.stringMatching(/was acknowledged and is lost at peer \d/));
  });

  it("is caught completing when fenced, having its own events, and making an effect twice", async () => {
    const violations = await planted(["unfenced", "own-view", "twice"], "zombie at task-complete:asked");
    expect(violations).toContainEqual(expect.stringMatching(/ended twice: task-completed as event/));
    expect(violations).toContainEqual(expect.stringMatching(/event 1 differs at peers/));
    expect(violations).toContainEqual(expect.stringMatching(/http: round-2-1 was made under 2 keys/));
  });

  it("has one winner for each claim, and loses no acknowledgement", async () => {
    using place = await machineLoopback(3);
    const many = { submitters: 4, tasks: 5 };
    const { violations, counts } = await race({ place, seed: 3, agents: 3, ...many, mutants: [] });
    expect(violations).toEqual([]);
    expect(counts).toMatchObject({ acknowledged: 20, tasks: 20, lives: 3 });
  });
});

it.skipIf(gitMissing)("leaves nothing but the histories of the two that were caught", () => {
  expect(readdirSync(folder.path)).toHaveLength(2);
});

it("goes through every scene evenly, three in a round", () => {
  const rounds = SCENES.size;
  const played = Array.from({ length: rounds }, (_, i) => scenesOf(i + 1)).flat();
  const counts = Map.groupBy(played, (name) => name);
  expect([...counts.keys()].toSorted()).toEqual([...SCENES.keys()].toSorted());
  expect(new Set([...counts.values()].map(({ length }) => length))).toEqual(new Set([3]));
});

async function anyPlace(peers: number): Promise<Place> {
  return missing === undefined ? loopbackNamespace(peers) : machineLoopback(peers);
}

async function planted(mutants: readonly Mutant[], scene: string): Promise<readonly string[]> {
  using place = await machineLoopback(3);
  const options = { place, seed: 2, agents: 3, scenes: [scene], mutants, tally: new Tally() };
  return (await round(options)).violations;
}
