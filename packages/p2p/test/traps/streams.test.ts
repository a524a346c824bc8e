import type { Stream } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import { FrameWriter } from "../../src/frame-writer.ts";
import { lab, type Lab } from "../fixtures/mesh.ts";
import { bare } from "../fixtures/bare.ts";

const KIB = 1_024;
const MIB = 1_048_576;

/** A stream to a reader that takes 1 MiB and then stops, and what libp2p holds of it at most. */
async function toSlowReader(at: Lab): Promise<{ stream: Stream; full: Promise<void>; peak: () => number }> {
  const [host, other] = [await bare(at), await bare(at)];
  const stopped = Promise.withResolvers<void>();
  let taken = 0;
  await other.handle("/slow", (stream) => {
    stream.addEventListener("message", ({ data }) => {
      taken += data.byteLength;
      if (taken < MIB) return;
      stream.pause();
      stopped.resolve();
    });
  });
  const connection = await host.dial(other.getMultiaddrs());
  const stream = await connection.newStream("/slow");
  let most = 0;
  const send = stream.send.bind(stream);
  stream.send = (data) => {
    const result = send(data);
    most = Math.max(most, stream.writeBufferLength);
    return result;
  };
  const full = (async () => {
    await stopped.promise;
    for (let round = 0; round < 3; round++) await host.services.ping.ping(other.peerId);
  })();
  return { stream, full, peak: () => most };
}

describe("a sender whose reader has stopped", () => {
  it("piles everything up in memory when it waits for onDrain", async () => {
    await using at = await lab();
    const { stream, peak } = await toSlowReader(at);
    const chunk = new Uint8Array(64 * KIB);
    for (let n = 0; n < 200; n++) if (!stream.send(chunk)) await stream.onDrain();
    expect(peak()).toBeGreaterThan(6 * MIB);
    stream.abort(new Error("done"));
  });

  it("waits with one frame in hand when it waits for the events, as we do", async () => {
    await using at = await lab();
    const { stream, full, peak } = await toSlowReader(at);
    const writer = new FrameWriter(stream);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 200; sent++) await writer.send(new Uint8Array(64 * KIB));
    })();
    await full;
    const before = sent;
    expect(before).toBeLessThan(100);
    expect(peak()).toBeLessThan(128 * KIB);
    stream.abort(new Error("done"));
    await expect(sending).rejects.toThrow("done");
    expect(sent).toBe(before);
  });
});
