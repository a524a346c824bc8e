import { createHash } from "node:crypto";
import type { Resolution, UcxiOptions } from "./contract.ts";

/** Something with a hash, in one representation. */
export interface Content {
  readonly cid: string;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** Distinguishes representations of the same content in the ETag. */
  readonly format: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const RAW = "application/vnd.ipld.raw";
const DAG_CBOR = "application/vnd.ipld.dag-cbor";

/** The block itself, whatever it holds. */
export function asBlock(cid: string, bytes: Uint8Array): Content {
  return { cid, bytes, mediaType: RAW, format: "raw" };
}

/** A resolved record in the representation the asker prefers; JSON is a projection, never what is hashed. */
export function asRecord(found: Resolution, accept: string): Content {
  const { cid, bytes, decision } = found;
  const headers = recordHeaders(found);
  if (accept.includes(RAW)) return { ...asBlock(cid, bytes), headers };
  if (decision === undefined || accept.includes(DAG_CBOR)) {
    const mediaType = found.codec === "dag-cbor" ? DAG_CBOR : RAW;
    return { cid, bytes, mediaType, format: found.codec, headers };
  }
  const json = new TextEncoder().encode(JSON.stringify(decision.value, null, 2));
  return { cid, bytes: json, mediaType: "application/json", format: "json", headers };
}

function recordHeaders({ canonical, cid, decision }: Resolution): Record<string, string> {
  return {
    "content-location": `/v1/ucxl/${cid}`,
    "x-ucxl-address": canonical,
    ...(decision ? { "x-ucxl-signers": decision.signers.join(" ") } : {}),
    vary: "Accept, Authorization",
  };
}

/** Answers with content, or with 304 when the asker has it. */
export function contentResponse(content: Content, request: Request, options: UcxiOptions): Response {
  const etag = `"${content.cid}.${content.format}"`;
  const headers = new Headers({
    ...content.headers,
    "content-type": content.mediaType,
    etag,
    "cache-control":
      options.cache === "private" ? "private, max-age=31536000, immutable" : "private, no-store",
    "content-disposition": `attachment; filename="${content.cid}"`,
    "x-content-type-options": "nosniff",
  });
  if (matches(request.headers.get("if-none-match"), etag))
    return new Response(null, { status: 304, headers });
  headers.set("content-length", String(content.bytes.length));
  headers.set("content-digest", `sha-256=:${createHash("sha256").update(content.bytes).digest("base64")}:`);
  const body = request.method === "HEAD" ? null : new Uint8Array(content.bytes);
  return new Response(body, { headers });
}

function matches(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
}
