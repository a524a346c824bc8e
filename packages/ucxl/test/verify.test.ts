import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Canonical, type Cid, decodeCanonical, encodeCanonical, errorCode } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import type { DecisionDraft, VerifiedDecision } from "../src/contract.ts";
import { preAuthEncoding } from "../src/dsse.ts";
import {
  encodeDecision,
  signDecision,
  type SignedDecision,
  verifyDecision,
  verifyHistory,
} from "../src/index.ts";
import { alice, bob, carol, draft, logCid } from "./fixtures/setup.ts";

const record = await encodeDecision(draft());
const signed = await signDecision(record.bytes, [alice]);

/** The reason of a refusal, or the code of another error. */
async function refusal(run: Promise<unknown>): Promise<unknown> {
  try {
    await run;
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return code === "ucxl/verification-failed"
      ? (error as { detail: { reason: string } }).detail.reason
      : code;
  }
  return "accepted";
}

async function next(
  previous: VerifiedDecision,
  changes: Partial<DecisionDraft> = {},
): Promise<SignedDecision> {
  const { bytes } = await encodeDecision(
    draft({ seq: previous.decision.seq + 1, prev: previous.cid, ...changes }),
  );
  return signDecision(bytes, [alice]);
}

/** Alice's first records, verified one after the other. */
async function chain(length: number): Promise<SignedDecision[]> {
  const history = [signed];
  let last = await verifyDecision(signed, { previous: null });
  while (history.length < length) {
    const following = await next(last);
    history.push(following);
    last = await verifyDecision(following, { previous: last });
  }
  return history;
}

describe("signDecision", () => {
  it("is accepted with what it says", async () => {
    const verified = await verifyDecision(signed);
    expect(verified).toMatchObject({
      cid: record.cid,
      address: record.address,
      laneAddress: record.laneAddress,
      lane: `website/t-1/worker/${alice.peer}`,
      signers: [alice.peer],
      decision: { title: "The suite passes with the change" },
    });
  });
  it("adds a co-signer later, and keeps the first signature", async () => {
    const both = await signDecision(signed, [bob]);
    expect(both.signatures).toContainEqual(signed.signatures[0]);
    const { signers } = await verifyDecision(both, { signers: [bob.peer] });
    expect(signers).toEqual([alice.peer, bob.peer].toSorted());
    expect(await signDecision(record.bytes, [bob, alice])).toEqual(both);
  });
  it("signs nothing that is not a decision, and never for nobody", async () => {
    expect(await refusal(signDecision(encodeCanonical({ a: 1 }), [alice]))).toBe("kernel/invalid-input");
    expect(await refusal(signDecision(record.bytes, []))).toBe("kernel/invalid-input");
  });
  it("survives storage, with the signatures apart from the record", async () => {
    const { payload, ...detached } = signed;
    const stored = decodeCanonical(encodeCanonical(detached)) as { [key: string]: Canonical };
    expect((await verifyDecision({ ...stored, payload })).cid).toBe(record.cid);
  });
  it("encodes lengths as counts of bytes, as the DSSE protocol does", () => {
    const message = preAuthEncoding("application/x-é", new TextEncoder().encode("日本"));
    expect(new TextDecoder().decode(message)).toBe("DSSEv1 16 application/x-é 6 日本");
    const empty = preAuthEncoding("", new Uint8Array());
    expect(new TextDecoder().decode(empty)).toBe("DSSEv1 0  0 ");
  });
});

describe("a DSSE verifier that knows nothing of this package", () => {
  /** The published encoding, written down a second time. */
  const encode = (type: string, body: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.byteLength} `), body]);
  /** The peer id's base36 read by hand: its last 32 bytes are the key. */
  const keyOf = (keyid: string): KeyObject => {
    let number = 0n;
    for (const digit of keyid.slice(1)) number = number * 36n + BigInt(Number.parseInt(digit, 36));
    const bytes = Buffer.from(number.toString(16).padStart(80, "0"), "hex");
    expect(bytes.subarray(0, 8).toString("hex")).toBe("0172002408011220");
    const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), bytes.subarray(8)]);
    return createPublicKey({ key: der, format: "der", type: "spki" });
  };

  it("accepts the author's and a co-signer's signature from the JSON envelope", async () => {
    const both = await signDecision(signed, [bob]);
    const json = JSON.stringify({
      payloadType: both.payloadType,
      payload: Buffer.from(both.payload).toString("base64"),
      signatures: both.signatures.map(({ keyid, sig }) => ({
        keyid,
        sig: Buffer.from(sig).toString("base64"),
      })),
    });
    const envelope = JSON.parse(json) as {
      payloadType: string;
      payload: string;
      signatures: { keyid: string; sig: string }[];
    };
    const body = Buffer.from(envelope.payload, "base64");
    expect(envelope.signatures.map(({ keyid }) => keyid)).toEqual([alice.peer, bob.peer].toSorted());
    for (const { keyid, sig } of envelope.signatures) {
      const holds = (type: string, bytes: Uint8Array): boolean =>
        verify(null, encode(type, bytes), keyOf(keyid), Buffer.from(sig, "base64"));
      expect(holds(envelope.payloadType, body)).toBe(true);
      expect(holds("application/cbor", body)).toBe(false);
      expect(holds(envelope.payloadType, body.subarray(1))).toBe(false);
    }
  });
  it("makes signatures that are accepted here", async () => {
    const seed = Buffer.from(`302e020100300506032b657004220420${"01".repeat(32)}`, "hex");
    const key = createPrivateKey({ key: seed, format: "der", type: "pkcs8" });
    const sig = new Uint8Array(sign(null, encode(signed.payloadType, record.bytes), key));
    const foreign = { ...signed, signatures: [{ keyid: alice.peer, sig }] };
    expect((await verifyDecision(foreign)).cid).toBe(record.cid);
  });
  it("agrees with the protocol's published example, its encoding and its signature", () => {
    const type = "http://example.com/HelloWorld";
    const body = Buffer.from("hello world");
    const message = preAuthEncoding(type, body);
    expect(Buffer.from(message).toString()).toBe("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    expect(Buffer.from(message)).toEqual(encode(type, body));
    const coordinate = (decimal: bigint): string =>
      Buffer.from(decimal.toString(16).padStart(64, "0"), "hex").toString("base64url");
    const key = createPublicKey({
      key: {
        kty: "EC",
        crv: "P-256",
        x: coordinate(46950820868899156662930047687818585632848591499744589407958293238635476079160n),
        y: coordinate(5640078356564379163099075877009565129882514886557779369047442380624545832820n),
      },
      format: "jwk",
    });
    const sig = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";
    const published = { key, dsaEncoding: "ieee-p1363" } as const;
    expect(verify("sha256", message, published, Buffer.from(sig, "base64"))).toBe(true);
  });
});

describe("verifyDecision refuses", () => {
  const first = signed.signatures[0]!;
  const envelopes: readonly (readonly [string, unknown])[] = [
    ["nothing", undefined],
    ["text", "signed"],
    ["another payload type", { ...signed, payloadType: "application/json" }],
    ["an unknown field", { ...signed, note: "" }],
    ["no signature", { ...signed, signatures: [] }],
    ["17 signatures", { ...signed, signatures: Array.from({ length: 17 }, () => first) }],
    ["two signatures of one signer", { ...signed, signatures: [first, first] }],
    ["a short signature", { ...signed, signatures: [{ ...first, sig: first.sig.slice(1) }] }],
    ["a signer that is no peer", { ...signed, signatures: [{ ...first, keyid: "alice" }] }],
    ["a payload over 256 KiB", { ...signed, payload: new Uint8Array(262_145) }],
  ];
  it.each(envelopes)("an envelope with %s", async (_, value) => {
    expect(await refusal(verifyDecision(value))).toBe("envelope");
  });
  it("a payload that is no record", async () => {
    expect(await refusal(verifyDecision({ ...signed, payload: encodeCanonical({ a: 1 }) }))).toBe("record");
  });
  it("a record that was changed after signing", async () => {
    const { bytes } = await encodeDecision(draft({ status: "rejected" }));
    expect(await refusal(verifyDecision({ ...signed, payload: bytes }))).toBe("signature");
  });
  it("any flipped bit of a signature", async () => {
    for (let bit = 0; bit < 512; bit += 13) {
      const sig = first.sig.slice();
      sig[bit >> 3]! ^= 1 << (bit & 7);
      expect(await refusal(verifyDecision({ ...signed, signatures: [{ ...first, sig }] }))).toBe("signature");
    }
  });
  it("one bad signature among good ones", async () => {
    const { signatures } = await signDecision(record.bytes, [alice, bob]);
    const swapped = [
      { keyid: signatures[0]!.keyid, sig: signatures[0]!.sig },
      { keyid: signatures[1]!.keyid, sig: signatures[0]!.sig },
    ];
    expect(await refusal(verifyDecision({ ...signed, signatures: swapped }))).toBe("signature");
  });
  it("a record that its author did not sign", async () => {
    const foreign = await signDecision(record.bytes, [bob]);
    expect(await refusal(verifyDecision(foreign))).toBe("author");
  });
  it("a record without a signature that the caller requires", async () => {
    expect(await refusal(verifyDecision(signed, { signers: [carol.peer] }))).toBe("signers");
  });
  it("a signature made for another purpose, or over the record alone", async () => {
    const message = preAuthEncoding(signed.payloadType, record.bytes);
    for (const bytes of [message, record.bytes]) {
      const sig = await alice.sign("chorus/envelope/1", bytes);
      expect(await refusal(verifyDecision({ ...signed, signatures: [{ ...first, sig }] }))).toBe("signature");
    }
    const otherType = await alice.sign("", preAuthEncoding("application/cbor", record.bytes));
    const signatures = [{ ...first, sig: otherType }];
    expect(await refusal(verifyDecision({ ...signed, signatures }))).toBe("signature");
  });
  it("a record of another mesh, or with another hash than asked for", async () => {
    expect(await refusal(verifyDecision(signed, { cluster: "other" }))).toBe("cluster");
    expect(await refusal(verifyDecision(signed, { cid: logCid }))).toBe("cid");
  });
});

describe("the address that a record was asked for by", () => {
  const { cid } = record;
  const peer = alice.peer;
  it.each([
    `ucxl://${cid}`,
    `ucxl://${cid}/body`,
    `ucxl://website/t-1/worker/${peer}/@v1`,
    `ucxl://website/t-1/worker/${peer}/@${cid}`,
    "ucxl://website/t-1/worker/alice/@latest",
    "ucxl://website/t-1/worker/alice/@first",
    "ucxl://website/t-1/worker/alice/@t20250615T150640Z",
    "ucxl://website/*/worker/*/@latest",
  ])("%s fits", async (address) => {
    expect(await refusal(verifyDecision(signed, { address }))).toBe("accepted");
  });
  it.each([
    `ucxl://${logCid}`,
    `ucxl://website/t-1/worker/${bob.peer}/@v1`,
    `ucxl://website/t-1/worker/${peer}/@v2`,
    `ucxl://website/t-1/worker/${peer}/@${logCid}`,
    `ucxl://website/t-2/worker/${peer}/@${cid}`,
    "ucxl://other/t-1/worker/alice/@latest",
    "ucxl://website/t-1/reviewer/alice/@latest",
    "ucxl://website/t-1/worker/bob/@latest",
    "ucxl://website/t-1/worker/alice/@t20250615T150639Z",
    "ucxl://website/*/reviewer/*/@latest",
  ])("%s does not", async (address) => {
    expect(await refusal(verifyDecision(signed, { address }))).toBe("address");
  });
  it("has to be canonical", async () => {
    expect(await refusal(verifyDecision(signed, { address: "ucxl://website" }))).toBe("ucxl/incomplete");
  });
});

describe("a lane", () => {
  it("is followed record by record", async () => {
    const [, second] = await chain(2);
    expect(await refusal(verifyDecision(second, { previous: null }))).toBe("chain");
    const previous = await verifyDecision(signed);
    expect((await verifyDecision(second, { previous })).decision.seq).toBe(2);
  });
  it("does not take a record of another lane, mesh, place or past", async () => {
    const first = await verifyDecision(signed);
    const follow = async (changes: Partial<DecisionDraft>): Promise<unknown> =>
      refusal(verifyDecision(await next(first, changes), { previous: first }));
    expect(await follow({})).toBe("accepted");
    expect(await follow({ task: "t-2" })).toBe("chain");
    expect(await follow({ cluster: "other" })).toBe("chain");
    expect(await follow({ seq: 3 })).toBe("chain");
    expect(await follow({ prev: logCid })).toBe("chain");
  });
  it("keeps its author's key when the name is taken by someone else", async () => {
    const first = await verifyDecision(signed);
    const { bytes } = await encodeDecision(
      draft({ seq: 2, prev: first.cid, agent: { peer: bob.peer, name: "alice" } }),
    );
    const taken = await signDecision(bytes, [bob]);
    expect(await refusal(verifyDecision(taken, { previous: first }))).toBe("chain");
  });
});

describe("verifyHistory", () => {
  it("orders records that come in any order, and counts copies once", async () => {
    const [one, two, three] = await chain(3);
    const history = await verifyHistory([three!, one!, two!, one!]);
    expect(history.records.map(({ decision }) => decision.seq)).toEqual([1, 2, 3]);
    expect(history).toMatchObject({ complete: true, lane: `website/t-1/worker/${alice.peer}` });
    expect((await verifyHistory([three!, two!])).complete).toBe(false);
  });
  it("refuses a gap, a second lane and nothing at all", async () => {
    const [one, , three] = await chain(3);
    expect(await refusal(verifyHistory([one!, three!]))).toBe("chain");
    const { bytes } = await encodeDecision(draft({ task: "t-2" }));
    expect(await refusal(verifyHistory([one!, await signDecision(bytes, [alice])]))).toBe("chain");
    expect(await refusal(verifyHistory([]))).toBe("chain");
  });
  it("shows both records of an author who signed two for one position", async () => {
    const { bytes, cid } = await encodeDecision(draft({ title: "Another story" }));
    const twin = await signDecision(bytes, [alice]);
    const error = await verifyHistory([signed, twin]).catch((thrown: unknown) => thrown);
    const { detail } = error as { detail: { reason: string; cids: Cid[] } };
    expect(detail.reason).toBe("equivocation");
    expect(detail.cids.toSorted()).toEqual([record.cid, cid].toSorted());
  });
  it("refuses a chain with one forged record", async () => {
    const [one, two] = await chain(2);
    const forged = { ...two!, signatures: one!.signatures };
    expect(await refusal(verifyHistory([one!, forged]))).toBe("signature");
  });
});
