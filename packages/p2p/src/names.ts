import { hkdfSync } from "node:crypto";

/** What other programs see of a mesh on the wire. */
export interface MeshNames {
  /** mDNS service tag: own per mesh, so that meshes on one network do not disturb each other. */
  readonly serviceTag: string;
  /** Protocol of the provider records. */
  readonly dhtProtocol: string;
}

/** Prefix that gossipsub's protocols share; tells who can gossip at all. */
export const GOSSIP_PROTOCOL_PREFIX = "/meshsub/";

/** One frame from the side that is asked: the members it is connected to. */
export const INTRODUCTIONS_PROTOCOL = "/chorus/introductions/1.0.0";

/** No frames: who opens it leaves the mesh on purpose. */
export const FAREWELL_PROTOCOL = "/chorus/farewell/1.0.0";

const NO_SECRET = new Uint8Array();

/**
 * Names made from the cluster and its secret: a stranger on the same network learns neither, and two meshes
 * that chose the same name do not meet.
 */
export function meshNames(cluster: string, clusterSecret: Uint8Array = NO_SECRET): MeshNames {
  const tag = deriveKey(clusterSecret, `chorus/p2p/names/1 ${cluster}`).toString("hex", 0, 8);
  return { serviceTag: `_chorus-${tag}._udp.local`, dhtProtocol: `/chorus/${tag}/kad/1.0.0` };
}

/** 32 bytes for one purpose (HKDF-SHA-256, RFC 5869, no salt). */
export function deriveKey(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, NO_SECRET, purpose, 32));
}
