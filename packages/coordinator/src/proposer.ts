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
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

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
  return {
    once: async (command, signal) => ledger.propose(await seal(command), { signal }),
    async insist(command, signal) {
      const bytes = await seal(command);
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        try {
          return await ledger.propose(bytes, { signal });
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
