import { type Canonical, cidOf, encodeCanonical, type PeerId } from "@chorus/kernel";

export const CLUSTER = "sim";

/** The body of a command, with its type. */
export interface Command {
  readonly type: string;
  readonly [member: string]: Canonical;
}

/** A command as its proposer made it; the onlooker finds it by the name of its proposal. */
export interface Sent {
  readonly command: Command;
  readonly from: PeerId;
  /** By its proposer's wall clock. */
  readonly at: number;
}

const NO_SIGNATURE = new Uint8Array(64);

/**
 * The envelope of the package without its signature, which the machine does not look at: signing is asynchronous and
 * would cost more than all the rest.
 */
export function seal({ type, ...body }: Command, from: PeerId, ts: number): Uint8Array {
  const message = encodeCanonical({
    v: 1,
    type,
    id: "00",
    from,
    cluster: CLUSTER,
    causes: [],
    ts: Math.max(0, Math.floor(ts)),
    traceparent: "",
    labels: [],
    body,
  });
  return encodeCanonical({ message, sig: NO_SIGNATURE });
}

const cids = await Promise.all(Array.from({ length: 64 }, (_, byte) => cidOf(Uint8Array.of(byte), "raw")));

/** A content address that stands for what a run made. */
export function cidFor(number: number): string {
  return cids[Math.floor(number) % cids.length] ?? "";
}

/** What a finished run tells the ledger. */
export function resultOf(outcome: "succeeded" | "failed", cid: string): Canonical {
  return {
    outcome,
    decision: { address: "ucxl://sim/task/worker/agent/@v1", cid, signatures: cid },
    manifest: cid,
    artifacts: [],
    artifactCount: 0,
    quarantined: [],
    quarantinedCount: 0,
    redactions: 0,
    replicas: 2,
    degraded: false,
  };
}
