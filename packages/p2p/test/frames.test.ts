import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES } from "../src/frames.ts";

function drain(decoder: FrameDecoder): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let frame = decoder.take(); frame !== undefined; frame = decoder.take()) frames.push(frame);
  return frames;
}

describe("frames", () => {
  it("come out as they went in, however they are cut on the way", () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(400), { maxLength: 20 }), (sent, cuts) => {
        const wire = Buffer.concat(sent.map(encodeFrame));
        const decoder = new FrameDecoder();
        const received: Uint8Array[] = [];
        let at = 0;
        for (const size of [...cuts, wire.length]) {
          decoder.push(wire.subarray(at, at + size));
          at = Math.min(at + size, wire.length);
          received.push(...drain(decoder));
        }
        expect(received).toEqual(sent);
        expect(decoder.length).toBe(0);
      }),
    );
  });

  it("may be as large as the limit and no larger", () => {
    const decoder = new FrameDecoder();
    decoder.push(encodeFrame(new Uint8Array(MAX_FRAME_BYTES)));
    expect(decoder.take()?.length).toBe(MAX_FRAME_BYTES);
    expect(() => encodeFrame(new Uint8Array(MAX_FRAME_BYTES + 1))).toThrow("over 1572864");
  });

  it("are refused by their announced length, before their bytes arrive", () => {
    const tooLarge = new FrameDecoder();
    // 1,572,865 as a varint
    tooLarge.push(Uint8Array.of(0x81, 0x80, 0x60));
    expect(() => tooLarge.has()).toThrow("too large");
    const endless = new FrameDecoder();
    endless.push(new Uint8Array(4).fill(0xff));
    expect(() => endless.take()).toThrow("malformed");
  });

  it("come out at once though they came in a million crumbs, and hold no more than their size", () => {
    const decoder = new FrameDecoder();
    const wire = encodeFrame(new Uint8Array(MAX_FRAME_BYTES).fill(7));
    const started = performance.now();
    // Each crumb from a buffer of its own kind: what is kept must be the byte, not the buffer.
    for (let at = 0; at < wire.length; at++) decoder.push(wire.subarray(at, at + 1));
    expect(decoder.take()?.length).toBe(MAX_FRAME_BYTES);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(decoder.length).toBe(0);
  });
});
