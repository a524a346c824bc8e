import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { FaultName } from "../mesh/faults.ts";
import type { Mutant } from "../mesh/mutants.ts";
import { bridgedNamespaces, loopbackNamespace, namespacesMissing } from "../mesh/namespaces.ts";
import { machineLoopback, type Place } from "../mesh/places.ts";
import { round } from "../mesh/round.ts";
import { ownFolder } from "./fixtures/own-folder.ts";

const LIMIT = { timeout: 300_000 };
const missing = namespacesMissing();
if (missing !== undefined) console.log(`no network namespaces (${missing}): their tests are skipped`);

const folder = ownFolder();

describe.concurrent("a mesh of processes", LIMIT, () => {
  it.skipIf(missing !== undefined)("keeps one admin on loopback", async () => {
    using place = loopbackNamespace(5);
    await expectHeld(place, ["kill", "one-way"]);
  });

  it.skipIf(missing !== undefined)("keeps one admin in network namespaces", async () => {
    using place = bridgedNamespaces(5);
    await expectHeld(place, ["stop", "partition"]);
  });

  it.skipIf(missing === undefined)("keeps one admin where no packets can be lost", async () => {
    using place = await machineLoopback(5);
    await expectHeld(place, ["kill", "stop"]);
  });
});

it("is caught forgetting its votes, and with a lease that outlives a stop", LIMIT, async () => {
  const [forgetful, sleepy] = await Promise.all([found("forgetful", "kill"), found("sleepy-clock", "stop")]);
  expect(forgetful).toContainEqual(
    expect.stringMatching(/found term 0 with no vote on its disk, where it had kept term [1-9]/),
  );
  expect(sleepy).toContainEqual(expect.stringMatching(/two valid leases at once|terms fell/));
});

it("leaves nothing but the histories of the two that were caught", () => {
  expect(readdirSync(folder.path)).toHaveLength(2);
});

async function expectHeld(place: Place, faults: readonly FaultName[]): Promise<void> {
  const { violations, figures } = await round({ place, seed: 7, peers: 5, faults, mutant: undefined });
  expect(violations).toEqual([]);
  // The start of the mesh counts as a heal.
  expect(figures.filter(({ what }) => what === "heal")).toHaveLength(1 + faults.length);
}

async function found(mutant: Mutant, fault: FaultName): Promise<readonly string[]> {
  using place = await machineLoopback(3);
  const { violations } = await round({ place, seed: 2, peers: 3, faults: [fault], mutant });
  return violations;
}
