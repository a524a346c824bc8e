import type { Scenario, ScenarioOptions, Violations } from "../../scenarios.ts";
import type { Figure } from "../mesh/check.ts";
import { inEmergency } from "../mesh/emergency.ts";
import { everywhere } from "../mesh/everywhere.ts";
import { faultsOn } from "../mesh/faults.ts";
import { MUTANTS, parseMutant } from "../mesh/mutants.ts";
import { round } from "../mesh/round.ts";

export const about: Scenario["about"] =
  "a round is one mesh of processes on loopback and one in network namespaces, whose admins are killed, stopped past " +
  "their lease, made deaf or mute one way, cut off with the smaller side, and sent away, once each in a drawn order: " +
  `--rounds 20 is 20 of each on each (mutants: ${MUTANTS.join(", ")})`;

const figures: (Figure & { readonly place: string })[] = [];
const told = new Set<string>();

/** One round; both meshes live at the same time. */
export async function run(seed: number, { nodes, mutant }: ScenarioOptions): Promise<Violations> {
  const planted = parseMutant(mutant);
  if (nodes < 3 || nodes > 7) throw new RangeError("a mesh that can lose a peer and still elect has 3 to 7");
  using all = new DisposableStack();
  const places = await everywhere(nodes, tellOnce);
  for (const place of places) {
    all.use(place);
    all.use(inEmergency(() => place[Symbol.dispose]()));
  }
  const verdicts = await Promise.all(
    places.map(async (place, i) => {
      const options = { place, seed: seed * 2 + i, peers: nodes, faults: faultsOn(place), mutant: planted };
      const verdict = await round(options);
      for (const figure of verdict.figures) figures.push({ place: place.name, ...figure });
      console.log(`seed ${seed} ${place.name}: ${verdict.figures.map(brief).join(", ")}`);
      return verdict.violations;
    }),
  );
  return verdicts.flat();
}

/** Of all rounds so far: how long it took, by place and fault. */
export function report(): readonly string[] {
  const groups = Map.groupBy(figures, ({ place, what, fault }) => `${what} ${place} ${fault}`);
  return [...groups.keys()].toSorted().map((name) => {
    const group = (groups.get(name) ?? []).toSorted((a, b) => a.ms - b.ms);
    const at = (part: number): string => seconds(group[Math.floor((group.length - 1) * part)]);
    return `${name}: min ${at(0)} median ${at(0.5)} max ${at(1)} s (${group.length})`;
  });
}

function brief(figure: Figure): string {
  return `${figure.fault} ${figure.what} ${seconds(figure)}`;
}

/** With what the machine took of it, where that is worth a word. */
function seconds(figure: Figure | undefined): string {
  const { ms, starvedMs } = figure ?? { ms: 0, starvedMs: 0 };
  const starved = starvedMs < 500 ? "" : ` (starved ${(starvedMs / 1000).toFixed(2)})`;
  return `${(ms / 1000).toFixed(2)}${starved}`;
}

function tellOnce(line: string): void {
  if (!told.has(line)) console.log(line);
  told.add(line);
}
