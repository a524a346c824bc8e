import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "../../sim/random.ts";
import { check, type Verdict } from "./check.ts";
import { inEmergency } from "./emergency.ts";
import { FAULTS, type FaultName } from "./faults.ts";
import { fleet } from "./fleet.ts";
import type { Mutant } from "./mutants.ts";
import type { Place } from "./places.ts";
import { Scene } from "./scene.ts";

/** One mesh, and what is done to it. */
export interface RoundOptions {
  readonly place: Place;
  readonly seed: number;
  readonly peers: number;
  /** Taken in an order that the seed draws. */
  readonly faults: readonly FaultName[];
  readonly mutant: Mutant | undefined;
}

/**
 * Starts a mesh of processes, lets every fault happen to it once, and reads what it has written down. Nothing is left
 * of it but, after a violation, the folder that the violations name.
 */
export async function round(options: RoundOptions): Promise<Verdict> {
  const { place, peers, mutant } = options;
  const folder = mkdtempSync(join(tmpdir(), "chaos-mesh-"));
  let kept = false;
  try {
    const processes = await fleet({ place, folder, peers, mutant });
    await using all = new AsyncDisposableStack();
    all.use(
      inEmergency(() => {
        processes.kill();
        rmSync(folder, { recursive: true, force: true });
      }),
    );
    all.use(processes);
    const thrown = await play(new Scene(processes, random(options.seed)), options.faults);
    const history = processes.history();
    const { violations, figures } = check(history);
    const found = [...thrown, ...violations];
    kept = found.length > 0;
    if (kept) writeFileSync(join(folder, "runner.json"), JSON.stringify(history.runner, undefined, 1));
    return { figures, violations: found.map((text) => `${place.name}: ${text} (histories: ${folder})`) };
  } finally {
    if (!kept) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** @returns what went wrong in doing it; the histories may tell why */
async function play(scene: Scene, faults: readonly FaultName[]): Promise<readonly string[]> {
  try {
    const { fleet: processes } = scene;
    await Promise.all(processes.peers.map((number) => processes.start(number)));
    if (!(await scene.heal("start"))) return ["the mesh did not come together, nothing was done to it"];
    for (const name of scene.some(faults.keys().toArray(), faults.length)) {
      const fault = await FAULTS[faults[name] ?? "kill"](scene);
      if (!(await scene.heal(fault))) return [`${fault}: not whole with an admin, the round ended there`];
    }
    return [];
  } catch (error) {
    return [`the round could not be played: ${error instanceof Error ? error.stack : String(error)}`];
  }
}
