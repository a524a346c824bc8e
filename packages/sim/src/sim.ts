import { InvalidInputError } from "@chorus/kernel";
import type { Plan, Process, Run, SimOptions, Simulator, System } from "./contract.ts";
import { schedule, type Settings, withDefaults } from "./schedule.ts";
import { shrinkRun } from "./shrink.ts";
import { Simulation } from "./simulation.ts";

/**
 * A simulator of `system`. Runs are synchronous and share nothing, so they spread over worker processes by seed.
 * @throws `kernel/invalid-input` for options out of range
 */
export function sim<Message, Running extends Process<Message>>(
  system: System<Message, Running>,
  options: SimOptions = {},
): Simulator {
  const settings = checked(withDefaults(options));
  const { leader, actions = {}, patterns = [] } = system;
  const cast = { leader: leader !== undefined, actions: Object.keys(actions), patterns };
  const perform = (plan: Plan, trace: boolean): Run =>
    new Simulation(system, plan, { settings, trace }).run();
  const simulator: Simulator = {
    run: (seed) => {
      const { nodes, durationMs } = settings;
      return perform({ seed, nodes, durationMs, faults: schedule(seed, settings, cast) }, false);
    },
    replay: ({ seed, nodes, durationMs, faults }) => perform({ seed, nodes, durationMs, faults }, true),
    shrink: (run) =>
      run.violation === undefined ? run : simulator.replay(shrinkRun(run, (plan) => perform(plan, false))),
    search: ({ from = 1, count }) => {
      for (let seed = from; seed < from + count; seed++) {
        const run = simulator.run(seed);
        if (run.violation !== undefined) return simulator.shrink(run);
      }
      return undefined;
    },
  };
  return simulator;
}

function checked(settings: Settings): Settings {
  const { nodes, durationMs, healMs, faultEveryMs, faultMs, delayMs, drift, weights } = settings;
  const [shortest, longest] = delayMs;
  const rules: readonly (readonly [string, boolean, string])[] = [
    ["nodes", Number.isSafeInteger(nodes) && nodes >= 1 && nodes <= 1000, "must be 1 to 1000"],
    ["durationMs", durationMs > 0, "must be positive"],
    ["healMs", healMs >= 0 && healMs <= durationMs, "must be 0 to durationMs"],
    ["faultEveryMs", faultEveryMs >= 1, "must be at least 1"],
    ["faultMs", faultMs >= 1, "must be at least 1"],
    ["delayMs", shortest >= 0 && longest >= shortest, "must be two rising numbers from 0 on"],
    ["drift", drift >= 0 && drift < 1, "must be 0 or more, and less than 1"],
    ["weights", Object.values(weights).every((weight) => weight >= 0), "must not be negative"],
  ];
  for (const [name, met, problem] of rules) if (!met) throw new InvalidInputError(name, problem);
  return settings;
}
