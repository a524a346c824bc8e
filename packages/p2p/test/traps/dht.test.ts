import { generateKeyPair, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { type KadDHT, type KadDHTInit, kadDHT } from "@libp2p/kad-dht";
import { describe, expect, it } from "vitest";
import type { Host, HostSettings } from "../../src/host.ts";
import { dhtOptions } from "../../src/routing.ts";
import { lab, type Lab, SECRET } from "../fixtures/mesh.ts";
import { meshNames } from "../../src/names.ts";
import { type Adjust, bare, ours, withService } from "../fixtures/bare.ts";

type Store = NonNullable<HostSettings["datastore"]>;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const never = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(25_000) });

/** Three nodes that know each other; `stores` are what libp2p remembers in each. */
async function three(at: Lab, adjust: Adjust): Promise<{ hosts: [Host, Host, Host]; stores: Store[] }> {
  const stores: Store[] = [];
  const seen: Adjust = (settings) => {
    const adjusted = adjust(settings);
    if (adjusted.datastore) stores.push(adjusted.datastore);
    return adjusted;
  };
  const hosts: [Host, Host, Host] = [
    await bare(at, { adjust: seen }),
    await bare(at, { adjust: seen }),
    await bare(at, { adjust: seen }),
  ];
  for (const a of hosts) for (const b of hosts) if (a !== b) await a.dial(b.getMultiaddrs());
  for (const { services } of hosts) await expect.poll(() => known(services.dht), { timeout: 25_000 }).toBe(2);
  return { hosts, stores };
}

/** The table is not in the type. */
function known(dht: KadDHT): number {
  return (dht as unknown as { routingTable: { size: number } }).routingTable.size;
}

async function put(host: Host, key: Uint8Array, value: Uint8Array): Promise<number> {
  let acknowledged = 0;
  for await (const event of host.services.dht.put(key, value, never()))
    if (event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE") acknowledged++;
  return acknowledged;
}

async function records(stores: readonly Store[]): Promise<number> {
  const counts = stores.map(async (store) => {
    let count = 0;
    for await (const { key } of store.query({})) if (key.toString().includes("/record/")) count++;
    return count;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** kad-dht as its manual sets it up for values: a validator, and a selector that wants the largest. */
function withValues(at: Lab): Adjust {
  const init: KadDHTInit = {
    ...dhtOptions(meshNames(at.cluster, SECRET).dhtProtocol),
    validators: { demo: async () => {} },
    selectors: {
      demo: (_, values) => {
        const versions = values.map((value) => value[0] ?? 0);
        return versions.indexOf(Math.max(...versions));
      },
    },
  };
  return withService("dht", kadDHT(init));
}

async function valueOf(host: Host, key: Uint8Array): Promise<Uint8Array | undefined> {
  let value: Uint8Array | undefined;
  for await (const event of host.services.dht.get(key, never()))
    if (event.name === "VALUE") value = event.value;
  return value;
}

describe("a value in the DHT", () => {
  it("is overwritten by an older one in libp2p, whatever its selector says", async () => {
    await using at = await lab();
    const { hosts } = await three(at, withValues(at));
    const key = text("/demo/pointer");
    expect(await put(hosts[0], key, Uint8Array.of(2))).toBe(2);
    await put(hosts[1], key, Uint8Array.of(1));
    await put(hosts[2], key, Uint8Array.of(1));
    expect(await valueOf(hosts[0], key)).toEqual(Uint8Array.of(1));
  });

  it("counts as stored in libp2p when nobody has it", async () => {
    await using at = await lab();
    const host = await bare(at, { adjust: withValues(at) });
    expect(await put(host, text("/demo/pointer"), Uint8Array.of(1))).toBe(0);
  });

  it("is refused by every node of ours, and not offered", async () => {
    await using at = await lab();
    const { hosts, stores } = await three(at, ours);
    const [attacker, ...victims] = hosts;
    const { publicKey } = await generateKeyPair("Ed25519");
    const keys: [Uint8Array, Uint8Array][] = [
      [text("/demo/pointer"), Uint8Array.of(1)],
      [text("loose"), Uint8Array.of(1)],
      [Buffer.concat([text("/pk/"), publicKey.toMultihash().bytes]), publicKeyToProtobuf(publicKey)],
    ];
    for (const [key, value] of keys) expect(await put(attacker, key, value)).toBe(0);
    expect(victims.length).toBe(2);
    expect(stores.length).toBe(3);
    expect(await records(stores.slice(1))).toBe(0);
    const node = await at.start();
    expect(Object.keys(node.routing).toSorted()).toEqual(["provide", "providers"]);
  });

  it("would be kept by anyone without our refusal of public keys", async () => {
    await using at = await lab();
    const { validators: _, ...init } = dhtOptions(meshNames(at.cluster, SECRET).dhtProtocol);
    const { hosts, stores } = await three(at, withService("dht", kadDHT(init)));
    const { publicKey } = await generateKeyPair("Ed25519");
    const key = Buffer.concat([text("/pk/"), publicKey.toMultihash().bytes]);
    expect(await put(hosts[0], key, publicKeyToProtobuf(publicKey))).toBe(2);
    expect(await records(stores.slice(1))).toBe(2);
  });
});
