import { type Cid, cidOf, encodeCanonical } from "@chorus/kernel";
import { checkEffect, checkPayload } from "./check-effect.ts";
import type { Effect, Effector, Receipt, UcxlPublishComponents } from "./contract.ts";
import { InvalidEffectError } from "./errors.ts";

const KIND = "ucxl-publish";
const NAME = "[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?";
const TARGET = new RegExp(`^ucxl://(${NAME})/(${NAME})/(${NAME})$`);

/** Longest part of a UCXL address; 48 of the key's 52 characters keep 240 of its 256 bits. */
const PART_LENGTH = 48;
const MAX_PAYLOAD_BYTES = 268_435_456;

/**
 * Publishes in the mesh: target `ucxl://project/task/role`. The payload is stored, and a lane of its own, named after
 * the effect, points at a `chorus.publication/1` record that names it. The lane has one version and belongs to
 * whoever wrote it first, so a second publication under the same key is none.
 */
export function ucxlPublish({ storage, redactor }: UcxlPublishComponents): Effector {
  const laneOf = (effect: Effect): string => {
    checkEffect(effect, KIND, ["media-type"]);
    const [, project, task, role] = TARGET.exec(effect.target) ?? [];
    if (role === undefined) throw new InvalidEffectError("target", "must be ucxl://project/task/role");
    return `${project}/${task}/${role}/${effect.key.slice(0, PART_LENGTH)}`;
  };
  const published = async (lane: string, signal: AbortSignal): Promise<Receipt | undefined> => {
    const head = await storage.head(lane, { signal });
    return head === undefined ? undefined : receiptOf(lane, head.cid);
  };
  return {
    kind: KIND,
    check: (effect) => void laneOf(effect),
    async resolve(effect, { signal }) {
      signal.throwIfAborted();
      const receipt = await published(laneOf(effect), signal);
      return receipt === undefined ? { status: "absent" } : { status: "done", receipt };
    },
    async act(effect, payload, { signal }) {
      signal.throwIfAborted();
      const lane = laneOf(effect);
      checkPayload(effect, payload, MAX_PAYLOAD_BYTES);
      const before = await published(lane, signal);
      if (before !== undefined) return before;
      const stored = await storage.put(payload, { codec: "raw", class: "artifact", signal });
      const record = recordOf(effect, { cid: stored.cid, size: payload.length });
      const bytes = redactor.pass(record);
      await storage.put(bytes, { codec: "dag-cbor", class: "decision", signal });
      const cid = await cidOf(bytes, "dag-cbor");
      try {
        await storage.putHead({ lane, seq: 1, cid }, { signal });
      } catch (error) {
        // Somebody was first: theirs is the publication.
        const theirs = await published(lane, signal);
        if (theirs === undefined) throw error;
        return theirs;
      }
      return receiptOf(lane, cid);
    },
  };
}

function recordOf(effect: Effect, payload: { readonly cid: Cid; readonly size: number }): Uint8Array {
  const { key, taskId, slot, ordinal, target, at, options } = effect;
  const mediaType = options?.["media-type"] ?? "application/octet-stream";
  return encodeCanonical({
    $type: "chorus.publication/1",
    effect: key,
    task: taskId,
    slot,
    ordinal,
    target,
    at,
    payload: { cid: payload.cid, size: payload.size, mediaType },
  });
}

function receiptOf(lane: string, cid: Cid): Receipt {
  return { reference: cid, detail: { lane } };
}
