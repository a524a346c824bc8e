import { type Cid, cidOf, type Clean, decodeCanonical } from "@chorus/kernel";
import { expect, it } from "vitest";
import { type EffectorBench, permitted } from "../src/testing/index.ts";
import { ucxlPublish } from "../src/ucxl-publish.ts";

const signal = new AbortController().signal;

it("stores the payload and points a lane of the effect's own at a record of it", async () => {
  const blocks = new Map<Cid, Uint8Array>();
  const heads = new Map<string, { seq: number; cid: Cid }>();
  const scanned: Uint8Array[] = [];
  const agent = ucxlPublish({
    redactor: {
      pass(bytes) {
        scanned.push(bytes);
        return bytes as Clean<Uint8Array>;
      },
    },
    storage: {
      async put(bytes, { codec }) {
        const cid = await cidOf(bytes, codec);
        blocks.set(cid, bytes);
        return { cid };
      },
      putHead: async ({ lane, seq, cid }) => heads.set(lane, { seq, cid }),
      head: async (lane) => heads.get(lane),
    },
  });
  const { effect, payload } = permitted(
    {
      effect: () => ({
        kind: "ucxl-publish",
        target: "ucxl://app/build/report",
        options: { "media-type": "text/plain" },
      }),
      payload: () => new TextEncoder().encode("page"),
    } as unknown as EffectorBench,
    0,
  );
  const receipt = await agent.act(effect, payload, { signal });
  const lane = `app/build/report/${effect.key.slice(0, 48)}`;
  expect(receipt.detail).toEqual({ lane });
  const head = heads.get(lane);
  expect(head).toEqual({ seq: 1, cid: receipt.reference });
  const record = blocks.get(receipt.reference as Cid) ?? new Uint8Array();
  expect(scanned).toEqual([record]);
  expect(decodeCanonical(record)).toEqual({
    $type: "chorus.publication/1",
    effect: effect.key,
    task: effect.taskId,
    slot: "slot",
    ordinal: 0,
    target: "ucxl://app/build/report",
    at: effect.at,
    payload: { cid: await cidOf(payload, "raw"), size: 4, mediaType: "text/plain" },
  });
  expect(await agent.resolve(effect, { signal })).toEqual({ status: "done", receipt });
});
