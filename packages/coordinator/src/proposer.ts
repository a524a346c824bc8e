import type { Clock, Signer } from "@chorus/kernel";
import { ownCommand, sealCommand, type TaskCommand } from "./command.ts";
import type { CommandResult, LedgerPort } from "./contract-ports.ts";

/** A committed command and what the machine made of it. */
export interface Proposed {
  readonly index: number;
  readonly replicas: number;
  readonly result: CommandResult;
}

/** Signs commands in this peer's name and has the ledger order them. */
export interface Proposer {
  /** Tries once. @throws the ledger's error, retryable when there is no leader */
  once(command: TaskCommand, signal: AbortSignal): Promise<Proposed>;
  /** Tries until it is ordered or `signal` fires. Every command is safe to order twice. */
  insist(command: TaskCommand, signal: AbortSignal): Promise<Proposed>;
  /** How long the ledger takes to order a command of this peer these days, in milliseconds. */
  paceMs(): number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;
/** How much the newest answer counts in the pace. */
const PACE_WEIGHT = 0.2;

/** @param by what envelopes are sealed with */
export function proposer(
  components: { readonly ledger: LedgerPort; readonly signer: Signer; readonly clock: Clock },
  cluster: string,
): Proposer {
  const { ledger, signer, clock } = components;
  const seal = async (command: TaskCommand): Promise<Uint8Array> => {
    const bytes = await sealCommand(command, { cluster, signer, now: clock.now() });
    ownCommand(bytes, cluster);
    return bytes;
  };
  let paceMs = 0;
  const propose = async (bytes: Uint8Array, signal: AbortSignal): Promise<Proposed> => {
    const asked = clock.monotonic();
    const answer = await ledger.propose(bytes, { signal });
    paceMs += (clock.monotonic() - asked - paceMs) * PACE_WEIGHT;
    return answer;
  };
  return {
    paceMs: () => paceMs,
    once: async (command, signal) => propose(await seal(command), signal),
    async insist(command, signal) {
      const bytes = await seal(command);
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        try {
          return await propose(bytes, signal);
        } catch (error) {
          if (signal.aborted || !isRetryable(error)) throw error;
        }
        await clock.sleep(pauseMs, { signal });
      }
    },
  };
}

/** True for an error that says that the same call may succeed later. */
export function isRetryable(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}
