import { deepStrictEqual } from "node:assert/strict";
import type { LedgerBench, LedgerMesh } from "./ledger-mesh.ts";

/** One promise of the ledger. */
export interface LedgerCase {
  readonly name: string;
  /** With fewer voters it says nothing. */
  readonly atLeast: number;
  readonly run: (bench: LedgerBench, voters: number) => Promise<void>;
}

export const PATIENCE_MS = 20_000;

export function patience(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(PATIENCE_MS) };
}

/** Waits until all have applied so many commands, and gives the state that is the same for all. */
export async function agree(mesh: LedgerMesh, commands: number): Promise<readonly string[]> {
  const states: (readonly string[])[] = [];
  for (const n of mesh.alive) {
    const { log } = mesh.member(n);
    for (let index = log.appliedIndex(); log.state().length < commands; index++)
      await log.waitFor(index + 1, patience());
    states.push(log.state());
  }
  const [first = []] = states;
  for (const state of states) deepStrictEqual(state, first);
  return first;
}

/** Lets one after the other stand until one is elected. */
export async function electAny(mesh: LedgerMesh, among: readonly number[] = mesh.alive): Promise<boolean> {
  for (const n of among) if (n < mesh.peers.length - 2 && (await mesh.elect(n, among))) return true;
  return false;
}
