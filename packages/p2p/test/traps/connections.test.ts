import { once } from "node:events";
import { manualClock } from "@chorus/kernel/testing";
import type { Connection, Stream } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Host } from "../../src/host.ts";
import { asPeerId, fromPeerId } from "../../src/peer-ids.ts";
import { lab, met } from "../fixtures/mesh.ts";
import { type Adjust, bare, ours, withService } from "../fixtures/bare.ts";

afterEach(() => void vi.useRealTimers());

function portOf(host: Host): number {
  return Number(host.getMultiaddrs()[0]?.toString().split("/")[4]);
}

describe("a peer that is away for longer than five tries", () => {
  /** libp2p begins at one second and doubles; the tries are the same, only sooner. */
  const impatient: Adjust = (settings) => {
    const { reconnectRetries: _retries, ...rest } = settings.connectionManager ?? {};
    return { ...settings, connectionManager: { ...rest, reconnectRetryInterval: 10 } };
  };

  it("is given up by libp2p, although it is to be kept", async () => {
    await using at = await lab();
    const [host, other] = [await bare(at, { adjust: impatient }), await bare(at, { name: "lost" })];
    await host.dial(other.getMultiaddrs());
    await host.peerStore.merge(other.peerId, { tags: { "keep-alive-mesh": { value: 50 } } });
    const port = portOf(other);
    const givenUp = new Promise((resolve) => {
      host.addEventListener("peer:reconnect-failure", resolve, { once: true });
    });
    await other.stop();
    await givenUp;
    const again = await bare(at, { name: "lost", port });
    // What would make it try again is gone.
    expect([...(await host.peerStore.get(again.peerId)).tags.keys()]).not.toContain("keep-alive-mesh");
    expect(host.getDialQueue()).toEqual([]);
    expect(host.getConnections()).toEqual([]);
  });

  it("is brought back by us after ten minutes", async () => {
    await using at = await lab();
    const clock = manualClock(Date.now());
    const other = await bare(at, { name: "lost" });
    const node = await at.start({ clock, bootstrap: other.getMultiaddrs().map(String) });
    const peer = asPeerId(other.peerId)!;
    await met(node, peer);
    const port = portOf(other);
    await other.stop();
    await met(node, peer, false);
    for (let minute = 0; minute < 10; minute++) await clock.advance(60_000);
    await bare(at, { name: "lost", port });
    await clock.advance(15_000);
    await met(node, peer);
  });
});

describe("the addresses of a peer that was last identified an hour ago", () => {
  const forgetful: Adjust = (settings) => ({ ...settings, peerStore: {} });

  it.each([
    ["are gone with libp2p's age of an hour", forgetful, false],
    ["are still known with ours", ours, true],
  ])("%s", async (_, adjust, known) => {
    await using at = await lab();
    const [host, other] = [await bare(at, { adjust }), await bare(at)];
    const identified = once(host as unknown as EventTarget, "peer:identify");
    await host.dial(other.getMultiaddrs());
    await identified;
    await host.hangUp(other.peerId);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_660_000 });
    const dial = host.dial(other.peerId, { signal: AbortSignal.timeout(25_000) });
    if (known) expect((await dial).remotePeer.equals(other.peerId)).toBe(true);
    else await expect(dial).rejects.toThrow();
  });
});

describe("eight peers of one host that dial at the same moment", () => {
  const wary: Adjust = ({ connectionManager, ...settings }) => {
    const { inboundConnectionThreshold: _, ...rest } = connectionManager ?? {};
    return { ...settings, connectionManager: rest };
  };

  it.each([
    ["are not all let in with libp2p's threshold of five a second", wary, false],
    ["are all let in with ours", ours, true],
  ])("%s", async (_, adjust, all) => {
    await using at = await lab();
    const hub = await bare(at, { adjust });
    const peers = await Promise.all(Array.from({ length: 8 }, () => bare(at)));
    const dials = await Promise.allSettled(peers.map((peer) => peer.dial(hub.getMultiaddrs())));
    const inside = dials.filter(({ status }) => status === "fulfilled").length;
    if (all) expect(inside).toBe(8);
    else expect(inside).toBeLessThan(8);
  });
});

describe("a connection with a ping under way", () => {
  const PING = "/ipfs/ping/1.0.0";
  const often: Adjust = (settings) => ({
    ...settings,
    connectionMonitor: { ...settings.connectionMonitor, pingInterval: 200 },
  });
  const single: Adjust = (settings) => withService("ping", ping())(often(settings));

  /** The monitor may be at it itself for a moment. */
  async function busy(connection: Connection): Promise<Stream> {
    for (;;)
      try {
        return await connection.newStream(PING);
      } catch (error) {
        if (connection.status !== "open") throw error;
      }
  }

  it("is broken by the monitor with libp2p's limit of one ping", async () => {
    await using at = await lab();
    const [host, other] = [await bare(at, { adjust: single }), await bare(at)];
    const connection = await host.dial(other.getMultiaddrs());
    const closed = new Promise<Error | undefined>((resolve) => {
      connection.addEventListener("close", ({ error }) => resolve(error));
    });
    await busy(connection);
    expect((await closed)?.name).toBe("TooManyOutboundProtocolStreamsError");
  });

  it("stays with our limit", async () => {
    await using at = await lab();
    const [host, other] = [await bare(at, { adjust: often }), await bare(at)];
    const connection = await host.dial(other.getMultiaddrs());
    await busy(connection);
    for (let look = 0; look < 2; look++) {
      delete connection.rtt;
      await expect.poll(() => connection.rtt, { interval: 20, timeout: 25_000 }).toBeDefined();
    }
    expect(connection.status).toBe("open");
    expect(host.getConnections(fromPeerId(asPeerId(other.peerId)!)).length).toBe(1);
  });
});
