import { silentLogger } from "@chorus/kernel";
import { type Context, Hono } from "hono";
import { asBlock, asRecord, contentResponse } from "./content.ts";
import type { Resolution, Ucxi, UcxiComponents, UcxiOptions } from "./contract.ts";
import { problemOf, problemResponse, type Problem } from "./problem.ts";

const notFound: Problem = { status: 404, code: "not-found", title: "No reachable peer has this" };
const wrongMethod: Problem = { status: 405, code: "method-not-allowed", title: "Addresses can only be read" };
const tooLate: Problem = { status: 504, code: "retrieval-timeout", title: "No peer answered in time" };
const broken: Problem = { status: 500, code: "internal", title: "Something failed here; the log has it" };

/** Serves what UCXL addresses name: `/v1/blocks`, `/v1/ucxl`, `/v1/resolve`. Unverified bytes are never answered. */
export function ucxi(components: UcxiComponents, options: UcxiOptions = {}): Ucxi {
  const app = routes(components, options);
  return {
    paths: ["/v1/blocks", "/v1/ucxl", "/v1/resolve"],
    async fetch(request) {
      if (request.method !== "GET" && request.method !== "HEAD") return problemResponse(wrongMethod);
      return await app.fetch(request);
    },
  };
}

function routes({ resolver, logger = silentLogger }: UcxiComponents, options: UcxiOptions): Hono {
  const { timeoutMs = 10_000 } = options;
  const deadline = (c: Context): AbortSignal =>
    AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(timeoutMs)]);
  const app = new Hono();
  app.onError((error) => {
    if (error.name === "TimeoutError") return problemResponse(tooLate);
    const problem = problemOf(error);
    if (problem === undefined) logger.error("resolving failed", { error });
    return problemResponse(problem ?? broken);
  });
  app.notFound(() => problemResponse(notFound));
  app.get("/v1/blocks/:cid", async (c) => {
    const cid = c.req.param("cid");
    const block = await resolver.block(cid, { signal: deadline(c) });
    if (block === undefined) return problemResponse(notFound);
    return contentResponse(asBlock(cid, block.bytes), c.req.raw, options);
  });
  app.get("/v1/ucxl/*", async (c) => {
    // The path is taken as it was sent: decoding it here would let two texts mean one address.
    const address = `ucxl://${new URL(c.req.url).pathname.slice("/v1/ucxl/".length)}`;
    const found = await resolver.resolve(address, { signal: deadline(c) });
    if (found === undefined) return problemResponse(notFound);
    return contentResponse(asRecord(found, c.req.header("accept") ?? ""), c.req.raw, options);
  });
  app.get("/v1/resolve", async (c) => {
    const found = await resolver.resolve(c.req.query("uri") ?? "", { signal: deadline(c) });
    return found === undefined ? problemResponse(notFound) : c.json(describe(found));
  });
  return app;
}

function describe({ canonical, kind, cid, codec, bytes, decision }: Resolution): object {
  const record = decision
    ? {
        lane: decision.lane,
        seq: decision.seq,
        signers: decision.signers,
        verified: ["hash", "signature", "lane"],
      }
    : { verified: ["hash"] };
  return { canonical, kind, cid, codec, size: bytes.length, ...record };
}
