import { join } from "node:path";
import { silentLogger, systemClock } from "@chorus/kernel";
import { createHost, type Host, type HostContext, type HostSettings } from "../../src/host.ts";
import { loadIdentity } from "../../src/identity.ts";
import { parseOptions } from "../../src/options.ts";
import { type Lab, SECRET, TOPIC } from "../fixtures/mesh.ts";

/** Puts one setting back to what libp2p does by itself. */
export type Adjust = NonNullable<HostContext["adjust"]>;

export const ours: Adjust = (settings) => settings;

interface BareOptions {
  readonly adjust?: Adjust;
  readonly name?: string;
  readonly port?: number;
}

/** A member as libp2p runs it with our settings, without anything that we built on top. */
export async function bare(at: Lab, { adjust = ours, name, port = 0 }: BareOptions = {}): Promise<Host> {
  const identity = await loadIdentity(join(at.folder, name ?? `bare-${crypto.randomUUID()}`));
  const settings = parseOptions({
    cluster: at.cluster,
    clusterSecret: SECRET,
    identityFile: "",
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    mdns: false,
    topics: [TOPIC],
  });
  const host = await createHost({
    settings,
    identity,
    clock: systemClock,
    logger: silentLogger,
    onFound: () => {},
    adjust,
  });
  await host.start();
  at.defer(async () => host.stop());
  host.services.gossip.subscribe(TOPIC);
  return host;
}

type Services = NonNullable<HostSettings["services"]>;

/** One service of libp2p, set up differently. */
export function withService<Name extends keyof Services>(name: Name, service: Services[Name]): Adjust {
  return (settings) => ({ ...settings, services: { ...(settings.services as Services), [name]: service } });
}

/** Resolves when `host` has a gossip stream to `other` and knows that it listens to the topic. */
export async function heardBy(host: Host, other: Host): Promise<void> {
  const { gossip } = host.services;
  const { streamsOutbound } = gossip as unknown as { streamsOutbound: ReadonlyMap<string, unknown> };
  const id = other.peerId.toString();
  while (!streamsOutbound.has(id) || !gossip.getSubscribers(TOPIC).some((peer) => peer.equals(other.peerId)))
    await new Promise((resolve) => setImmediate(resolve));
}

/** What was sent to `other` on the same connection before has been received by then, and looked at. */
export async function overtaken(host: Host, other: Host): Promise<void> {
  await host.services.ping.ping(other.peerId);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
