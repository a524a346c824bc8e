/**
 * Defects that can be planted into every peer: an acknowledgement before the ledger has the task; a machine that lets a
 * fenced worker complete; a peer whose events are not those of the others; an effect that is made twice.
 */
export const MUTANTS = ["early-ack", "unfenced", "own-view", "twice"] as const;
export type Mutant = (typeof MUTANTS)[number];

/** @throws RangeError */
export function parseMutant(name: string | undefined): Mutant | undefined {
  const found = MUTANTS.find((mutant) => mutant === name);
  if (name !== undefined && found === undefined)
    throw new RangeError(`the mutants are ${MUTANTS.join(", ")}`);
  return found;
}
