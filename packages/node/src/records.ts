import { type Canonical, type Cid, cidOf, encodeCanonical, type Signer } from "@chorus/kernel";
import type { Components } from "@chorus/coordinator";
import { encodeDecision, signDecision } from "@chorus/ucxl";
import { AGENT_ROLE, SIGNATURES_ROLE } from "./wire.ts";

type Records = Components["records"];
type Draft = Parameters<Records["decide"]>[0];
type DecisionRecord = Awaited<ReturnType<Records["decide"]>>;

/** Where this peer's own lanes stand. `@chorus/dht-storage` fits. */
export interface Lanes {
  head(
    lane: string,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly seq: number; readonly cid: Cid } | undefined>;
}

/** A record's place, and that of its signatures; `putHeads` publishes both. */
export interface RecordHead {
  readonly lane: string;
  readonly seq: number;
  readonly cid: Cid;
  readonly signatures: { readonly lane: string; readonly seq: number; readonly cid: Cid };
}

/** Signatures beside a record, chained so that those of any version can be found from the newest. */
export interface SignatureBundle {
  readonly record: Cid;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Uint8Array }[];
  /** The bundle of the version before, null for the first. */
  readonly prev: Cid | null;
}

/** Turns a finished run into a signed decision in this peer's lane. One run of a task at a time. */
export function records(components: {
  lanes: Lanes;
  signer: Signer;
  name: string;
  cluster: string;
}): Records {
  const { lanes, signer, name, cluster } = components;
  return {
    async decide(draft, { signal }) {
      const lane = `${draft.project}/${draft.name}/${AGENT_ROLE}/${signer.peer}`;
      const signatureLane = `${draft.project}/${draft.name}/${SIGNATURES_ROLE}/${signer.peer}`;
      const [before, signaturesBefore] = await Promise.all([
        lanes.head(lane, { signal }),
        lanes.head(signatureLane, { signal }),
      ]);
      const seq = (before?.seq ?? 0) + 1;
      const encoded = await encodeDecision({
        ...contentOf(draft),
        cluster,
        role: AGENT_ROLE,
        agent: { peer: signer.peer, name },
        seq,
        prev: before?.cid ?? null,
      });
      const signed = await signDecision(encoded.bytes, [signer]);
      const signatures = encodeBundle({
        record: encoded.cid,
        payloadType: signed.payloadType,
        signatures: signed.signatures,
        prev: signaturesBefore?.cid ?? null,
      });
      const head: RecordHead = {
        lane,
        seq,
        cid: encoded.cid,
        signatures: { lane: signatureLane, seq, cid: await cidOf(signatures, "raw") },
      };
      return { cid: encoded.cid, address: encoded.laneAddress, bytes: encoded.bytes, signatures, head };
    },
  };
}

/** Publishes a record's head, its signatures' head first: who finds the record finds its signatures. */
export async function putHeads<T>(
  head: DecisionRecord["head"],
  put: (head: { lane: string; seq: number; cid: Cid }) => Promise<T>,
): Promise<T> {
  const { lane, seq, cid } = head;
  if (isRecordHead(head)) await put(head.signatures);
  return put({ lane, seq, cid });
}

function isRecordHead(head: DecisionRecord["head"]): head is RecordHead {
  return "signatures" in head;
}

function contentOf(draft: Draft) {
  const succeeded = draft.result.outcome === "succeeded";
  const { name, ...body } = { ...draft, evidence: undefined };
  return {
    project: draft.project,
    task: name,
    parents: [],
    kind: "task-result",
    status: succeeded ? ("accepted" as const) : ("rejected" as const),
    title: titleOf(draft.goal),
    body: { mediaType: "application/json", bytes: new TextEncoder().encode(JSON.stringify(body)) },
    evidence: draft.evidence,
    createdAt: draft.createdAt,
    audience: { role: "mesh", epoch: 1 },
  };
}

function titleOf(goal: string): string {
  const line = goal.split("\n", 1)[0]?.trim().normalize("NFC") ?? "";
  return Array.from(line).slice(0, 200).join("") || "task";
}

function encodeBundle(bundle: SignatureBundle): Uint8Array {
  const plain: Canonical = {
    record: bundle.record,
    payloadType: bundle.payloadType,
    signatures: bundle.signatures.map(({ keyid, sig }) => ({ keyid, sig })),
    prev: bundle.prev,
  };
  return encodeCanonical(plain);
}
