import { type Cid, cidOf, createSigner } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { type Lanes, putHeads, records } from "../src/records.ts";
import { resolver } from "../src/resolver.ts";

const signer = await createSigner(new Uint8Array(32).fill(3));
const { signal } = new AbortController();
type Draft = Parameters<ReturnType<typeof records>["decide"]>[0];

/** Content and heads in memory. */
function memorySource() {
  const blocks = new Map<string, Uint8Array>();
  const heads = new Map<string, { seq: number; cid: Cid }>();
  const lanes: Lanes = { head: async (lane) => heads.get(lane) };
  return {
    blocks,
    heads,
    source: { ...lanes, get: async (cid: Cid) => blocks.get(cid) },
    async put(bytes: Uint8Array, codec: "raw" | "dag-cbor") {
      blocks.set(await cidOf(bytes, codec), bytes);
    },
  };
}

/** A lane with `count` published records. */
async function setup(count: number) {
  const memory = memorySource();
  const maker = records({ lanes: memory.source, signer, name: "carol", cluster: "demo" });
  const addresses: string[] = [];
  const cids: Cid[] = [];
  for (let n = 1; n <= count; n++) {
    const record = await maker.decide(draft(n), { signal });
    await memory.put(record.bytes, "dag-cbor");
    await memory.put(record.signatures, "raw");
    await putHeads(record.head, async ({ lane, seq, cid }) => memory.heads.set(lane, { seq, cid }));
    addresses.push(record.address);
    cids.push(record.cid);
  }
  return { memory, addresses, cids, resolve: resolver(memory.source, "demo") };
}

function draft(n: number): Draft {
  return {
    taskId: "t",
    project: "demo",
    name: "fix-rounding",
    goal: `goal ${n}\nmore`,
    principal: "operator",
    lease: { token: { term: 1, index: n }, holder: signer.peer, attempt: n, ttlMs: 5000, renewal: n },
    result: {
      outcome: "succeeded",
      steps: [],
      isolation: { engine: "docker", level: "container", missing: [] },
      artifacts: [],
      quarantined: [],
    },
    evidence: [],
    createdAt: 1_750_000_000_000 + n * 60_000,
  } as unknown as Draft;
}

describe("records and resolver", () => {
  it("find every version by number, age, place and hash", async () => {
    const { addresses, cids, resolve } = await setup(3);
    const lane = addresses[0]!.slice(0, addresses[0]!.lastIndexOf("/"));
    const seqAt = async (address: string) => (await resolve.resolve(address, { signal }))?.decision?.seq;
    expect(addresses[2]).toBe(`${lane}/@v3`);
    expect(await seqAt(`${lane}/@latest`)).toBe(3);
    expect(await seqAt(`${lane}/@latest~1`)).toBe(2);
    expect(await seqAt(`${lane}/@first`)).toBe(1);
    expect(await seqAt(`${lane}/@v2`)).toBe(2);
    expect(await seqAt(`${lane}/@v4`)).toBeUndefined();
    // The second record was made at 15:08:40, the third a minute later.
    expect(await seqAt(`${lane}/@t20250615T150901Z`)).toBe(2);
    expect(await seqAt(`${lane}/@${cids[1]}`)).toBe(2);
    expect(await seqAt(`ucxl://${cids[0]}`)).toBe(1);
  });
  it("show the record as JSON with its signers", async () => {
    const { addresses, resolve } = await setup(1);
    const found = await resolve.resolve(addresses[0]!, { signal });
    expect(found?.decision?.signers).toEqual([signer.peer]);
    expect(found?.decision?.value).toMatchObject({
      title: "goal 1",
      status: "accepted",
      agent: { name: "carol" },
      body: { json: { result: { outcome: "succeeded" }, lease: { token: { index: 1 } } } },
    });
  });
  it("refuse a record whose signatures are another's, or missing", async () => {
    const { memory, addresses, resolve } = await setup(1);
    const lane = [...memory.heads.keys()].find((name) => name.includes("signatures"))!;
    const forged = await createSigner(new Uint8Array(32).fill(9));
    const other = await records({
      lanes: memory.source,
      signer: forged,
      name: "eve",
      cluster: "demo",
    }).decide(draft(1), { signal });
    const swapped = Buffer.from(other.signatures);
    await memory.put(swapped, "raw");
    memory.heads.set(lane, { seq: 1, cid: await cidOf(swapped, "raw") });
    await expect(resolve.resolve(addresses[0]!, { signal })).rejects.toMatchObject({
      code: "node/record-missing",
    });
    memory.heads.delete(lane);
    await expect(resolve.resolve(addresses[0]!, { signal })).rejects.toMatchObject({ retryable: true });
  });
  it("refuse a pinned record of another lane, a pattern, and another mesh's record", async () => {
    const { memory, cids, resolve } = await setup(1);
    const code = (address: string, using = resolve) => expect(using.resolve(address, { signal })).rejects;
    await code(`ucxl://demo/other/agent/${signer.peer}/@${cids[0]}`).toMatchObject({
      code: "ucxl/verification-failed",
    });
    await code("ucxl://demo/*/agent/carol/@latest").toMatchObject({ code: "ucxl/pattern" });
    await code(`ucxl://${cids[0]}`, resolver(memory.source, "elsewhere")).toMatchObject({
      code: "ucxl/verification-failed",
    });
  });
  it("know nothing of what nobody has", async () => {
    const { resolve } = await setup(0);
    expect(await resolve.resolve(`ucxl://demo/t/agent/${signer.peer}/@latest`, { signal })).toBeUndefined();
    expect(await resolve.block(await cidOf(new Uint8Array(), "raw"), { signal })).toBeUndefined();
  });
});
