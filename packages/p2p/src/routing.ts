import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { type KadDHT, type KadDHTInit, passthroughMapper, type QueryEvent } from "@libp2p/kad-dht";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { sha256 } from "multiformats/hashes/sha2";
import type { Routing } from "./contract.ts";
import { asPeerId } from "./peer-ids.ts";

const MAX_KEY_BYTES = 256;

/** kad-dht for provider records alone. */
export function dhtOptions(protocol: string): KadDHTInit {
  return {
    protocol,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    kBucketSize: 8,
    initialQuerySelfInterval: 500,
    // Public keys are the one kind of value that it would store for anyone; without a validator it refuses all others.
    validators: { pk: refuse },
  };
}

async function refuse(): Promise<never> {
  throw new InvalidInputError("value", "cannot be stored: this mesh keeps provider records only");
}

/**
 * Provider records over kad-dht. Its values are not used: it lets an old record overwrite a new one, and says
 * that it has stored what nobody acknowledged.
 */
export function routing(dht: KadDHT): Routing {
  return {
    async provide(key, { signal }) {
      const cid = await keyOf(key);
      signal.throwIfAborted();
      try {
        for await (const _ of dht.provide(cid, { signal })) signal.throwIfAborted();
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
    async *providers(key, { signal }) {
      const cid = await keyOf(key);
      signal.throwIfAborted();
      try {
        yield* distinct(dht.findProviders(cid, { signal }));
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
  };
}

async function* distinct(events: AsyncIterable<QueryEvent>): AsyncIterable<PeerId> {
  const told = new Set<PeerId>();
  for await (const event of events)
    for (const peer of named(event)) {
      if (!told.has(peer)) yield peer;
      told.add(peer);
    }
}

function named(event: QueryEvent): PeerId[] {
  return event.name === "PROVIDER" ? event.providers.flatMap(({ id }) => asPeerId(id) ?? []) : [];
}

/** Keys of any shape land evenly in the key space, and none can be aimed at a chosen peer. */
async function keyOf(key: Uint8Array): Promise<CID> {
  if (key.length === 0 || key.length > MAX_KEY_BYTES)
    throw new InvalidInputError("key", `must be 1 to ${MAX_KEY_BYTES} bytes`);
  return CID.createV1(raw.code, await sha256.digest(key));
}
