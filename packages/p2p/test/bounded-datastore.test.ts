import { generateKeyPair } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { Key } from "interface-datastore/key";
import { describe, expect, it } from "vitest";
import { BoundedDatastore } from "../src/bounded-datastore.ts";

const self = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
const key = (text: string): Key => new Key(text);
const value = Uint8Array.of(1);

async function texts(store: BoundedDatastore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const each of store.queryKeys({ prefix })) found.push(each.toString());
  return found;
}

describe("what libp2p remembers", () => {
  it("is found by its key and by its folder, and gone when deleted", async () => {
    const store = new BoundedDatastore(self);
    const names = ["/dht/provider/a/p", "/dht/provider/a/q", "/dht/provider/b/p", "/peers/x"];
    for (const name of names) void store.put(key(name), value);
    expect(await store.get(key("/peers/x"))).toEqual(value);
    expect(await texts(store, "/dht/provider/a")).toEqual(names.slice(0, 2));
    expect(await texts(store, "/dht/provider")).toEqual(names.slice(0, 3));
    expect(await texts(store, "/peers/")).toEqual(["/peers/x"]);
    store.delete(key("/dht/provider/a/p"));
    expect(store.has(key("/dht/provider/a/p"))).toBe(false);
    expect(store.has(key("/dht/provider/a/q"))).toBe(true);
    expect(() => store.get(key("/peers/y"))).toThrow(expect.objectContaining({ name: "NotFoundError" }));
  });

  it("holds on to none of the buffers that libp2p cuts its records from", () => {
    const store = new BoundedDatastore(self);
    const buffer = new Uint8Array(65_536);
    const name = new TextEncoder().encode("/peers/x");
    buffer.set(name);
    void store.put(new Key(buffer.subarray(0, name.length), false), buffer.subarray(100, 200));
    const stored = store.get(key("/peers/x"));
    expect(stored).toEqual(new Uint8Array(100));
    expect(stored).toHaveProperty("buffer.byteLength", 100);
    for (const each of store._allKeys({})) expect(each.uint8Array().buffer.byteLength).toBe(name.length);
  });

  it("makes who stores too much lose its own oldest records, and never ours", () => {
    const store = new BoundedDatastore(self);
    void store.put(key("/dht/provider/k/honest"), value);
    for (let i = 0; i < 20_000; i++) {
      void store.put(key(`/dht/provider/${i}/hostile`), value);
      void store.put(key(`/dht/provider/${i}/${self.toString()}`), value);
    }
    expect(store.has(key("/dht/provider/k/honest"))).toBe(true);
    expect(store.has(key("/dht/provider/11807/hostile"))).toBe(false);
    expect(store.has(key("/dht/provider/11808/hostile"))).toBe(true);
    expect(store.has(key(`/dht/provider/0/${self.toString()}`))).toBe(true);
  });

  it("keeps this node and the peers heard of last", () => {
    const store = new BoundedDatastore(self);
    const own = `/peers/${self.toCID().toString()}`;
    void store.put(key(own), value);
    for (let i = 0; i < 5_000; i++) void store.put(key(`/peers/${i}`), value);
    expect(store.has(key(own))).toBe(true);
    expect(store.has(key("/peers/903"))).toBe(false);
    expect(store.has(key("/peers/904"))).toBe(true);
  });

  it("is bounded for all providers together, at the cost of the largest", () => {
    const store = new BoundedDatastore(self);
    void store.put(key("/dht/provider/k/honest"), value);
    for (let peer = 0; peer < 9; peer++)
      for (let i = 0; i < 16_384; i++) void store.put(key(`/dht/provider/${i}/sybil${peer}`), value);
    expect(store.has(key("/dht/provider/k/honest"))).toBe(true);
    expect(store.has(key("/dht/provider/16383/sybil8"))).toBe(true);
    expect(store.has(key("/dht/provider/8192/sybil0"))).toBe(false);
  });

  it("lets other work run while someone stores a thousand records", async () => {
    const store = new BoundedDatastore(self);
    let others = 0;
    let stored = false;
    const count = (): void => {
      others++;
      if (!stored) setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 1_000; i++) await store.put(key(`/dht/provider/${i}/p`), value);
    stored = true;
    expect(others).toBeGreaterThan(20);
  });

  it("is refused when one value is as large as a mesh", () => {
    const store = new BoundedDatastore(self);
    expect(() => store.put(key("/peers/x"), new Uint8Array(65_537))).toThrow("over 65536");
  });
});
