import { bridgedNamespaces, namespacesMissing } from "../chaos/mesh/namespaces.ts";
import { round } from "../chaos/mesh/round.ts";
import { median } from "./compare.ts";
import type { Figure } from "./figure.ts";

export const topic = "mesh";

const ROUNDS = 3;
const PEERS = 5;

/** Five processes in network namespaces, cut 3 to 2 and joined again; libp2p with its defaults may never heal. */
export async function* run(): AsyncIterable<Figure> {
  const base = { bench: topic, metric: "heal after a partition of 3 and 2, median", unit: "ms" };
  const missing = namespacesMissing();
  if (missing !== undefined) {
    yield { ...base, value: Number.NaN, against: `no network namespaces here: ${missing}` };
    return;
  }
  const times: number[] = [];
  for (let seed = 1; seed <= ROUNDS; seed++) {
    using place = bridgedNamespaces(PEERS);
    const { violations, figures } = await round({
      place,
      seed,
      peers: PEERS,
      faults: ["partition"],
      mutant: undefined,
    });
    if (violations.length > 0) throw new Error(violations.join("\n"));
    times.push(...figures.filter(isHeal).map(({ ms }) => ms));
  }
  yield { ...base, value: median(times) };
}

/** The start of a mesh comes together too, and is another figure. */
function isHeal({ what, fault }: { readonly what: string; readonly fault: string }): boolean {
  return what === "heal" && fault.startsWith("partition");
}
