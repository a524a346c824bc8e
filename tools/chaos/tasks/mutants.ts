/**
 * Defects that can be planted into every peer: an acknowledgement before the ledger has the task; a machine that lets a
 * fenced worker complete; a peer whose events are not those of the others; an effect that is made twice.
 */
export const MUTANTS = ["early-ack", "unfenced", "own-view", "twice"] as const;
export type Mutant = (typeof MUTANTS)[number];

/** Several are separated by commas. @throws RangeError */
export function parseMutants(names: string | undefined): readonly Mutant[] {
  return (names?.split(",") ?? []).map((name) => {
    const found = MUTANTS.find((mutant) => mutant === name);
    if (found === undefined) throw new RangeError(`the mutants are ${MUTANTS.join(", ")}`);
    return found;
  });
}
