import type { Logger } from "@chorus/kernel";

/** Content that has been fetched and whose hash has been checked. */
export interface Block {
  readonly bytes: Uint8Array;
  readonly codec: "dag-cbor" | "raw";
}

/** A record found behind an address, with what was checked. */
export interface Resolution {
  /** The address in canonical form. */
  readonly canonical: string;
  readonly kind: "immutable" | "semantic" | "pinned";
  readonly cid: string;
  readonly bytes: Uint8Array;
  readonly codec: "dag-cbor" | "raw";
  /** Only for a decision record: */
  readonly decision?: {
    readonly lane: string;
    readonly seq: number;
    /** The record as JSON: bytes as base64, addresses as text. */
    readonly value: object;
    /** Who signed; every signature has been verified. */
    readonly signers: readonly string[];
  };
}

/**
 * Finds content by address, verified, or not at all. Node composes it from addresses, storage and verification.
 * Errors are told apart by their code: `ucxl/…` for a wrong address (with `position`), `ucxl/verification-failed`
 * or `dht-storage/…` for content that must not be shown.
 */
export interface Resolver {
  /** The record that an address means now; undefined when no reachable peer has it. */
  resolve(address: string, options: { readonly signal: AbortSignal }): Promise<Resolution | undefined>;
  /** The block with this content id; undefined when no reachable peer has it. */
  block(cid: string, options: { readonly signal: AbortSignal }): Promise<Block | undefined>;
}

export interface UcxiComponents {
  readonly resolver: Resolver;
  readonly logger?: Logger;
}

export interface UcxiOptions {
  /** Time for one answer, peers included. @default 10000 */
  readonly timeoutMs?: number;
  /** `private` lets the asker's own cache keep immutable content; what is served was encrypted in the mesh. @default "none" */
  readonly cache?: "none" | "private";
}

/** The resolver's HTTP surface as one function over web standards. Serve it behind a guard. */
export interface Ucxi {
  /** First path segments that it answers. */
  readonly paths: readonly string[];
  fetch(request: Request): Promise<Response>;
}
