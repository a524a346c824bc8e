import { systemClock } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { MAX_WINDOW_BYTES, YamuxWatch } from "../src/yamux-watch.ts";
import { DATA, header, PING, RST, SYN, WINDOW } from "./hostile/fixtures/member.ts";

/** Feeds the same bytes again and again. @returns the complaint and how many times it took */
function feed(
  watch: YamuxWatch,
  bytes: Uint8Array,
  times: number,
  stuck = false,
): [string | undefined, number] {
  for (let i = 1; i <= times; i++) {
    const problem = watch.see(bytes, stuck);
    if (problem !== undefined) return [problem, i];
  }
  return [undefined, times];
}

describe("the watch over yamux", () => {
  it("has nothing against data, however it is cut", () => {
    const watch = new YamuxWatch(systemClock);
    const wire = Buffer.concat([
      header(WINDOW, SYN, 1, 0),
      header(DATA, 0, 1, 5),
      Buffer.from("hello"),
      header(DATA, 0, 1, MAX_WINDOW_BYTES),
      Buffer.alloc(MAX_WINDOW_BYTES, 0xff),
      header(PING, SYN, 0, 1),
    ]);
    for (const size of [1_000, 4_096, wire.length])
      for (let at = 0; at < wire.length; at += size)
        expect(watch.see(wire.subarray(at, at + size), false)).toBeUndefined();
    for (const byte of wire.subarray(0, 41)) expect(watch.see(Uint8Array.of(byte), false)).toBeUndefined();
  });

  it("objects to a length beyond any window before a byte of it has come", () => {
    const watch = new YamuxWatch(systemClock);
    expect(watch.see(header(DATA, 0, 1, MAX_WINDOW_BYTES + 1), false)).toBe(
      "a yamux frame is larger than any window",
    );
  });

  it("objects to a frame in crumbs", () => {
    const watch = new YamuxWatch(systemClock);
    expect(watch.see(header(DATA, 0, 1, MAX_WINDOW_BYTES), false)).toBeUndefined();
    expect(feed(watch, Uint8Array.of(0), 10_000)).toEqual(["a yamux frame came in crumbs", 8_193]);
  });

  it("objects to many pings and many new streams at once, not over time", async () => {
    const clock = manualClock();
    const pings = new YamuxWatch(clock);
    expect(feed(pings, header(PING, SYN, 0, 1), 1_000)).toEqual(["too many yamux pings", 257]);
    const streams = new YamuxWatch(clock);
    const brief = Buffer.concat([header(WINDOW, SYN, 1, 0), header(WINDOW, RST, 1, 0)]);
    expect(feed(streams, brief, 1_024)).toEqual([undefined, 1_024]);
    await clock.advance(1_000);
    expect(feed(streams, brief, 512)).toEqual([undefined, 512]);
    expect(feed(streams, brief, 1)).toEqual(["too many new streams", 1]);
  });

  it("objects to someone who goes on without reading", () => {
    const watch = new YamuxWatch(systemClock);
    const crumb = Buffer.concat([header(DATA, 0, 1, 1), Uint8Array.of(0)]);
    expect(feed(watch, crumb, 100_000)).toEqual([undefined, 100_000]);
    expect(feed(watch, crumb, 30_000, true)).toEqual([undefined, 30_000]);
    watch.drained();
    expect(feed(watch, crumb, 100_000, true)).toEqual(["it sends but does not read", 32_769]);
  });
});
