import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { Patience } from "../src/patience.ts";
import { encodeFrame } from "../src/frames.ts";
import type { P2p } from "../src/index.ts";
import { echo } from "../src/testing/stream-cases.ts";
import { lab, type Lab, SECRET } from "./fixtures/mesh.ts";
import { dialled, member } from "./hostile/fixtures/member.ts";
import type { HeldStream } from "../src/peer-stream.ts";

/** A stream of which only the debt counts. */
function debtor(): { stream: HeldStream; owes: { what: string | undefined }; reasons: string[] } {
  const owes: { what: string | undefined } = { what: undefined };
  const reasons: string[] = [];
  const stream = { owed: () => owes.what, abort: (reason: Error) => void reasons.push(reason.message) };
  return { stream: stream as unknown as HeldStream, owes, reasons };
}

describe("patience", () => {
  it("ends for a first frame after half a minute", async () => {
    const clock = manualClock();
    const patience = new Patience(clock);
    const { stream, owes, reasons } = debtor();
    owes.what = "first frame";
    patience.watch(stream);
    await clock.advance(34_000);
    expect(reasons).toEqual([]);
    await clock.advance(6_000);
    expect(reasons).toEqual(["stream lost: the other side still owes us first frame"]);
    patience.close();
  });

  it("begins anew whenever something else is owed, and lasts while nothing is", async () => {
    const clock = manualClock();
    const patience = new Patience(clock);
    const { stream, owes, reasons } = debtor();
    patience.watch(stream);
    await clock.advance(3_600_000);
    for (let frame = 0; frame < 5; frame++) {
      owes.what = `rest of frame ${frame}`;
      await clock.advance(50_000);
    }
    expect(reasons).toEqual([]);
    await clock.advance(20_000);
    expect(reasons).toEqual(["stream lost: the other side still owes us rest of frame 4"]);
    patience.close();
  });

  it("forgets streams that are gone", async () => {
    const clock = manualClock();
    const patience = new Patience(clock);
    const { stream, owes, reasons } = debtor();
    owes.what = "first frame";
    patience.watch(stream);
    patience.forget(stream);
    await clock.advance(60_000);
    expect(reasons).toEqual([]);
    patience.close();
  });
});

const TALK = "/test/talk/1.0.0";

/** A node whose time stands still, and a member without manners that has opened a stream to it. */
async function pair(at: Lab, handler: Parameters<P2p["streams"]["handle"]>[1]) {
  const clock = manualClock(Date.now());
  const node = await at.start({ clock });
  const answered = Promise.withResolvers<void>();
  node.streams.handle(TALK, async (stream) => {
    answered.resolve();
    await handler(stream);
  });
  const [target = ""] = node.addresses();
  const rude = await member({
    target,
    cluster: at.cluster,
    secret: Buffer.from(SECRET).toString("hex"),
    encryption: "tls",
  });
  at.defer(async () => rude.stop());
  const stream = await rude.dialProtocol(dialled(target), TALK);
  await answered.promise;
  const gone = new Promise<void>((resolve) => stream.addEventListener("close", () => resolve()));
  return { clock, stream, gone };
}

describe("a node", () => {
  it.each([
    ["nothing at all", new Uint8Array()],
    ["part of a frame", Uint8Array.of(100, 1)],
  ])("ends a stream whose opener sends %s", async (_, bytes) => {
    await using at = await lab();
    const { clock, stream, gone } = await pair(at, echo);
    stream.send(bytes);
    await Promise.race([gone, later(clock, 24)]);
    await gone;
  });

  it("ends a stream whose opener does not take the answer", async () => {
    await using at = await lab();
    const { clock, stream, gone } = await pair(at, async (talk) => {
      for (let i = 0; i < 8; i++) await talk.send(new Uint8Array(1_048_576));
    });
    stream.addEventListener("message", () => undefined);
    stream.pause();
    await Promise.race([gone, later(clock, 24)]);
    stream.resume();
    await gone;
  });

  it("keeps a stream whose opener is silent between frames, or was answered already", async () => {
    await using at = await lab();
    const { clock, stream } = await pair(at, echo);
    const heard = new Promise<void>((resolve) => stream.addEventListener("message", () => resolve()));
    stream.send(encodeFrame(Uint8Array.of(1)));
    await heard;
    await later(clock, 30);
    expect(stream.status).toBe("open");
  });
});

/** Time passes in steps of 5 s, and what happens on the way happens. */
async function later(clock: ReturnType<typeof manualClock>, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) await clock.advance(5_000);
}
