import { InvalidInputError, type Logger, type PeerId } from "@chorus/kernel";
import type { Libp2p, PeerId as Libp2pPeerId } from "@libp2p/interface";
import { type KadDHT, type KadDHTInit, passthroughMapper, type QueryEvent } from "@libp2p/kad-dht";
import { CID } from "multiformats/cid";
import * as raw from "multiformats/codecs/raw";
import { sha256 } from "multiformats/hashes/sha2";
import { checkedBytes, demand, signalOf } from "./checks.ts";
import type { Routing } from "./contract.ts";
import { ClosedError } from "./errors.ts";
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

/** What kad-dht does not show in its type; its version is pinned, and a test fails when this is gone. */
interface DhtInside {
  readonly routingTable: { remove(peer: Libp2pPeerId): Promise<void> };
}

/**
 * kad-dht keeps thousands of peers in its table after they are gone, each with the 64 KiB of network buffer that
 * its name was read from, and dials them for its searches. Who comes back is put in again by its connection.
 */
export function forgetAbsent(node: Libp2p, dht: KadDHT, logger: Logger): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a member of a pinned version, see DhtInside
  const { routingTable } = dht as unknown as DhtInside;
  node.addEventListener("peer:disconnect", ({ detail }) => {
    routingTable.remove(detail).catch((error: unknown) => logger.debug("peer stays in the table", { error }));
  });
}

async function refuse(): Promise<never> {
  throw new InvalidInputError("value", "cannot be stored: this mesh keeps provider records only");
}

/**
 * Provider records over kad-dht. Its values are not used: it lets an old record overwrite a new one, and says
 * that it has stored what nobody acknowledged.
 * @param isClosed whether the node is disposed, or about to be
 */
export function routing(dht: KadDHT, isClosed: () => boolean): Routing {
  /** A search that is cancelled, or whose node is gone, may fail in any way: these are the reasons to tell. */
  const check = (signal: AbortSignal): void => {
    signal.throwIfAborted();
    if (isClosed()) throw new ClosedError();
  };
  const search = async function* (key: Uint8Array, signal: AbortSignal): AsyncIterable<PeerId> {
    try {
      const cid = await keyOf(key);
      check(signal);
      yield* distinct(dht.findProviders(cid, { signal }));
    } catch (error) {
      check(signal);
      throw error;
    }
  };
  return {
    async provide(key, options) {
      const signal = signalOf(options);
      checkKey(key);
      try {
        const cid = await keyOf(key);
        check(signal);
        for await (const _ of dht.provide(cid, { signal })) check(signal);
      } catch (error) {
        check(signal);
        throw error;
      }
    },
    providers(key, options) {
      const signal = signalOf(options);
      checkKey(key);
      if (isClosed()) throw new ClosedError();
      return search(key, signal);
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

function checkKey(key: Uint8Array): void {
  const { length } = checkedBytes(key, "key");
  demand(length > 0 && length <= MAX_KEY_BYTES, "key", `must be 1 to ${MAX_KEY_BYTES} bytes`);
}

/** Keys of any shape land evenly in the key space, and none can be aimed at a chosen peer. */
async function keyOf(key: Uint8Array): Promise<CID> {
  return CID.createV1(raw.code, await sha256.digest(key));
}
