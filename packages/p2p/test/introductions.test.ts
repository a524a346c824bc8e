import { createSigner, encodeCanonical } from "@chorus/kernel";
import { memoryNetwork } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import {
  askIntroductions,
  encodeIntroductions,
  parseIntroductions,
  serveIntroductions,
} from "../src/introductions.ts";
import { INTRODUCTIONS_PROTOCOL } from "../src/names.ts";
import { never } from "../src/testing/stream-cases.ts";

const [alice, bob] = await Promise.all([1, 2].map((n) => createSigner(new Uint8Array(32).fill(n))));
if (!alice || !bob) throw new Error("two signers expected");
const known = [{ peer: bob.peer, addresses: ["/ip4/127.0.0.1/tcp/4001"] }];

describe("introductions", () => {
  it("pass on who is known and where", async () => {
    const network = memoryNetwork();
    const [a, b] = [network.join(alice), network.join(bob)];
    serveIntroductions(b.streams, () => known);
    expect(await askIntroductions(a.streams, b.peer, never().signal)).toEqual(known);
  });

  it("are empty from a member that says nothing", async () => {
    const network = memoryNetwork();
    const [a, b] = [network.join(alice), network.join(bob)];
    b.streams.handle(INTRODUCTIONS_PROTOCOL, (stream) => stream.close());
    expect(await askIntroductions(a.streams, b.peer, never().signal)).toEqual([]);
  });

  it("are cut to a bounded size by an honest member", () => {
    const many = Array.from({ length: 1000 }, () => ({
      peer: bob.peer,
      addresses: Array(50).fill("/ip4/1.1.1.1"),
    }));
    const parsed = parseIntroductions(encodeIntroductions(many));
    expect(parsed.length).toBe(256);
    expect(parsed[0]?.addresses.length).toBe(8);
  });

  it.each<[string, Uint8Array]>([
    ["garbage", Uint8Array.of(0xff)],
    ["something else", encodeCanonical({ peers: [] })],
    ["a malformed peer", encodeCanonical([["nobody", []]])],
    ["a malformed address", encodeCanonical([[bob.peer, ["localhost"]]])],
    ["an entry without addresses", encodeCanonical([[bob.peer]])],
    ["too many peers", encodeCanonical(Array.from({ length: 257 }, () => [bob.peer, []]))],
    ["too many addresses", encodeCanonical([[bob.peer, Array(9).fill("/ip4/1.1.1.1")]])],
    ["too many bytes", new Uint8Array(300_000)],
  ])("refuse %s", (_, frame) => {
    expect(() => parseIntroductions(frame)).toThrow();
  });
});
