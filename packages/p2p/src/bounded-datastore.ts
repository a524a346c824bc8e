import { setImmediate as otherWork } from "node:timers/promises";
import { InvalidInputError } from "@chorus/kernel";
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { MemoryDatastore } from "datastore-core/memory";
import { Key } from "interface-datastore/key";

type Query = Parameters<MemoryDatastore["_all"]>[0];
type KeyQuery = Parameters<MemoryDatastore["_allKeys"]>[0];

/** libp2p keeps a peer's addresses in one value, and a hostile peer has as many as it likes. */
const MAX_VALUE_BYTES = 65_536;
/** Peers that libp2p has ever heard of; members are in our own address book as well. */
const MAX_PEERS = 4_096;
/** DHT values are not used; libp2p lets anyone store public keys all the same. */
const MAX_OTHERS = 256;
const MAX_RECORDS_OF_ONE_PROVIDER = 8_192;
/** About 3 KB each with its key and folder. */
const MAX_PROVIDER_RECORDS = 65_536;

/** A stream full of records would else be stored in one go, with everything else waiting for seconds. */
const MAX_STREAK = 32;

const PROVIDERS = "/dht/provider/";
const PEERS = "/peers";

interface Entry {
  readonly key: Key;
  readonly value: Uint8Array;
}

/**
 * What libp2p remembers, in bounded memory: whoever floods it pushes out its own oldest records first. Looked
 * up by folder, because libp2p's own store in memory walks through everything for each search of providers.
 */
export class BoundedDatastore extends MemoryDatastore {
  readonly #self: string;
  readonly #selfName: string;
  readonly #folders = new Map<string, Map<string, Entry>>();
  /** Keys by whom they count for, oldest first. */
  readonly #owned = new Map<string, Map<string, Key>>();
  #providerRecords = 0;
  #streak = 0;

  /** @param self this node, whose own records are neither limited nor forgotten */
  constructor(self: Libp2pPeerId) {
    super();
    this.#self = self.toString();
    this.#selfName = `${PEERS}/${self.toCID().toString()}`;
  }

  override put(given: Key, bytes: Uint8Array): Key | Promise<Key> {
    if (bytes.length > MAX_VALUE_BYTES)
      throw new InvalidInputError("record", `is ${bytes.length} bytes, over ${MAX_VALUE_BYTES}`);
    // Copies: both are cut from buffers of 64 KiB, which would stay as a whole for each small record.
    const key = new Key(new Uint8Array(given.uint8Array()), false);
    const value = new Uint8Array(bytes);
    this.delete(key);
    const name = key.toString();
    const owner = this.#ownerOf(name);
    const keys = this.#owned.get(owner) ?? new Map<string, Key>();
    this.#owned.set(owner, keys.set(name, key));
    if (isProvider(name)) this.#providerRecords++;
    const folder = folderOf(name);
    this.#folders.set(
      folder,
      (this.#folders.get(folder) ?? new Map<string, Entry>()).set(name, { key, value }),
    );
    if (keys.size > this.#most(owner)) this.#forgetOldest(keys);
    if (this.#providerRecords > MAX_PROVIDER_RECORDS) this.#forgetOldest(this.#largest());
    if (++this.#streak < MAX_STREAK) return key;
    this.#streak = 0;
    return otherWork(key);
  }

  override get(key: Key): Uint8Array | Promise<Uint8Array> {
    const name = key.toString();
    return this.#folders.get(folderOf(name))?.get(name)?.value ?? super.get(key);
  }

  override has(key: Key): boolean {
    const name = key.toString();
    return this.#folders.get(folderOf(name))?.has(name) ?? false;
  }

  override delete(key: Key): void {
    const name = key.toString();
    const folder = this.#folders.get(folderOf(name));
    if (folder?.delete(name) !== true) return;
    if (folder.size === 0) this.#folders.delete(folderOf(name));
    const keys = this.#owned.get(this.#ownerOf(name));
    keys?.delete(name);
    if (keys?.size === 0) this.#owned.delete(this.#ownerOf(name));
    if (isProvider(name)) this.#providerRecords--;
  }

  override *_all({ prefix }: Query): Generator<Entry> {
    yield* this.#under(prefix);
  }

  override *_allKeys({ prefix }: KeyQuery): Generator<Key> {
    for (const { key } of this.#under(prefix)) yield key;
  }

  /** Copied: whoever walks through it deletes what is too old. */
  #under(prefix = ""): readonly Entry[] {
    const folder = prefix.replace(/\/$/, "");
    const exact = this.#folders.get(folder);
    if (exact) return [...exact.values()];
    return [...this.#folders].flatMap(([name, held]) => (name.startsWith(folder) ? [...held.values()] : []));
  }

  /** Of a provider record its provider (only that peer can store it), else its folder. */
  #ownerOf(name: string): string {
    if (name === this.#selfName) return this.#self;
    return isProvider(name) ? name.slice(name.lastIndexOf("/") + 1) : folderOf(name);
  }

  #most(owner: string): number {
    if (owner === this.#self) return Number.POSITIVE_INFINITY;
    if (owner === PEERS) return MAX_PEERS;
    return owner.startsWith("/") ? MAX_OTHERS : MAX_RECORDS_OF_ONE_PROVIDER;
  }

  #largest(): ReadonlyMap<string, Key> {
    let largest: ReadonlyMap<string, Key> = new Map<string, Key>();
    for (const [owner, keys] of this.#owned)
      if (!owner.startsWith("/") && owner !== this.#self && keys.size > largest.size) largest = keys;
    return largest;
  }

  #forgetOldest(keys: ReadonlyMap<string, Key>): void {
    for (const key of keys.values()) {
      this.delete(key);
      return;
    }
  }
}

function isProvider(name: string): boolean {
  return name.startsWith(PROVIDERS);
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/"));
}
