import { type Stream, StreamMessageEvent, TypedEventEmitter } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import { FrameReader } from "../src/frame-reader.ts";

/** As much of a stream as a reader looks at. */
class Source extends TypedEventEmitter<{ message: StreamMessageEvent }> {
  readonly status = "open";
  readonly remoteWriteStatus = "writable";
  readonly readStatus = "readable";
  readonly readBufferLength = 0;
  pause(): void {}
}

describe("a reader", () => {
  it("lets other work run between the frames of one who has very many, and empty ones", async () => {
    const source = new Source();
    const reader = new FrameReader(source as unknown as Stream);
    source.dispatchEvent(new StreamMessageEvent(new Uint8Array(10_000)));
    let others = 0;
    let read = false;
    const count = (): void => {
      others++;
      if (!read) setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 10_000; i++) expect((await reader.next())?.length).toBe(0);
    read = true;
    expect(others).toBeGreaterThan(20);
  });
});
