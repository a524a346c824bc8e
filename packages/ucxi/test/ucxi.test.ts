import { ChorusError, type Cid, cidOf } from "@chorus/kernel";
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ucxi, type Resolver } from "../src/index.ts";

class AddressError extends ChorusError {
  readonly code = "ucxl/port";
  readonly position = 12;
}
class Unverified extends ChorusError {
  readonly code = "ucxl/verification-failed";
}

const bytes = new TextEncoder().encode("record bytes");
const cid: Cid = await cidOf(bytes, "dag-cbor");
const lane = "chorus/t-1/agent/alice";

const resolver: Resolver = {
  async resolve(address, { signal }) {
    if (address.includes(":80")) throw new AddressError("a port is not allowed");
    if (address.includes("forged")) throw new Unverified("signature does not hold");
    if (address.includes("slow"))
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    if (address.includes("boom")) throw new Error("internal detail");
    if (address !== `ucxl://${lane}/@latest` && address !== `ucxl://${cid}`) return undefined;
    const decision = { lane, seq: 2, value: { title: "done" }, signers: ["k51a"] };
    return { canonical: address, kind: "semantic", cid, bytes, codec: "dag-cbor", decision };
  },
  block: async (asked) => (asked === cid ? { bytes, codec: "dag-cbor" } : undefined),
};

const server = ucxi({ resolver }, { timeoutMs: 50 });
const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  server.fetch(new Request(`http://localhost${path}`, init));

describe("ucxi", () => {
  it("serves a block that sha256sum can check", async () => {
    const response = await get(`/v1/blocks/${cid}`);
    const body = new Uint8Array(await response.arrayBuffer());
    expect(body).toEqual(bytes);
    expect(response.headers.get("content-digest")).toBe(
      `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`,
    );
    expect(response.headers.get("cache-control")).toBe("private, no-store");
  });
  it("answers 304 to an asker who has it, and only headers to HEAD", async () => {
    const etag = (await get(`/v1/blocks/${cid}`)).headers.get("etag") ?? "";
    expect((await get(`/v1/blocks/${cid}`, { headers: { "if-none-match": etag } })).status).toBe(304);
    const head = await get(`/v1/blocks/${cid}`, { method: "HEAD" });
    expect([head.headers.get("content-length"), await head.text()]).toEqual(["12", ""]);
  });
  it("serves a record as JSON, or as the bytes that were hashed", async () => {
    const json = await get(`/v1/ucxl/${lane}/@latest`);
    expect(await json.json()).toEqual({ title: "done" });
    expect(json.headers.get("content-location")).toBe(`/v1/ucxl/${cid}`);
    const raw = await get(`/v1/ucxl/${lane}/@latest`, { headers: { accept: "application/vnd.ipld.raw" } });
    expect(await raw.text()).toBe("record bytes");
  });
  it("says what it verified", async () => {
    const response = await get(`/v1/resolve?uri=${encodeURIComponent(`ucxl://${cid}`)}`);
    expect(await response.json()).toMatchObject({ cid, seq: 2, verified: ["hash", "signature", "lane"] });
  });
  it.each([
    ["/v1/ucxl/a:80/t/r/a/@latest", 400, "invalid-address"],
    ["/v1/ucxl/forged/t/r/a/@latest", 422, "verification-failed"],
    ["/v1/ucxl/other/t/r/a/@latest", 404, "not-found"],
    ["/v1/ucxl/slow/t/r/a/@latest", 504, "retrieval-timeout"],
    ["/v1/ucxl/boom/t/r/a/@latest", 500, "internal"],
    ["/v1/blocks/none", 404, "not-found"],
    ["/elsewhere", 404, "not-found"],
  ])("answers %s with %i", async (path, status, code) => {
    const response = await get(path);
    const text = await response.text();
    expect([response.status, JSON.parse(text).code]).toEqual([status, code]);
    expect(text).not.toContain("internal detail");
  });
  it("shows where an address went wrong", async () => {
    const response = await get("/v1/ucxl/a:80/t/r/a/@latest");
    expect(await response.json()).toMatchObject({ fault: { code: "port", position: 12 } });
  });
  it("can only be read", async () => {
    expect((await get(`/v1/blocks/${cid}`, { method: "POST" })).status).toBe(405);
  });
});
