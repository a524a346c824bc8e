import type { Mutant } from "./mutants.ts";

/** What the harness gives to the process of an agent, as JSON in its one argument. */
export interface AgentStart {
  readonly label: string;
  /** Counts the processes that had this folder; 1 for the first. */
  readonly life: number;
  /** `CHORUS_…`, as a user would set them. */
  readonly env: Readonly<Record<string, string>>;
  readonly history: string;
  readonly log: string;
  /** A Unix socket on which the peer's HTTP API can be reached from any network namespace. */
  readonly socket: string;
  /** `none`: runs cost nothing, for counting what stands around them. */
  readonly runs: "sandbox" | "none";
  readonly mutants: readonly Mutant[];
}
