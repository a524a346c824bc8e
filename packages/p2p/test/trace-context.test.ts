import { setTimeout as pause } from "node:timers/promises";
import { openEnvelope } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { asPeerId } from "../src/peer-ids.ts";
import { addressOf } from "./fixtures/stranger.ts";
import { bare } from "./fixtures/bare.ts";
import { traceparentOf } from "../src/trace-context.ts";
import { lab, met, TOPIC } from "./fixtures/mesh.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("a W3C traceparent", () => {
  it.each([
    TRACE,
    TRACE.replace(/01$/, "00"),
    TRACE.replace(/^00/, "cc"),
    `${TRACE.replace(/^00/, "01")}-what-the-future-brings`,
  ])("%s is passed on as it is", (value) => {
    expect(traceparentOf(value)).toBe(value);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["no text", 7],
    ["empty text", ""],
    ["version ff", TRACE.replace(/^00/, "ff")],
    ["a longer version 00", `${TRACE}-00`],
    ["upper case", TRACE.toUpperCase()],
    ["a trace of zeros", TRACE.replace(/4bf\w+/, "0".repeat(32))],
    ["a parent of zeros", TRACE.replace(/00f067\w+/, "0".repeat(16))],
    ["a short trace", TRACE.replace("4bf9", "")],
    ["a line break", `${TRACE}\n`],
    ["too much", `${TRACE.replace(/^00/, "01")}-${"x".repeat(128)}`],
  ])("is not made of %s", (_, value) => {
    expect(traceparentOf(value)).toBe("");
  });
});

describe("a published message", () => {
  it("carries the trace of the work that published it, and no invalid one", async () => {
    await using at = await lab();
    let current: string | undefined = TRACE;
    const failing = (): string | undefined => {
      if (current === "broken") throw new Error("no tracer");
      return current;
    };
    const first = await at.start({ traceparent: failing });
    // Reads what is on the wire: a member would mend it.
    const listener = await bare(at);
    const seen: Record<string, string> = {};
    const all = new Promise<void>((resolve) => {
      listener.services.gossip.addEventListener("message", ({ detail }) => {
        void openEnvelope(detail.data, at.cluster).then(({ type, traceparent }) => {
          seen[type] = traceparent;
          if (Object.keys(seen).length === 4) resolve();
        });
      });
    });
    await listener.dial(addressOf(first));
    await met(first, asPeerId(listener.peerId)!);
    const told = all.then(() => true);
    do {
      for (const value of [TRACE, undefined, "garbage", "broken"]) {
        current = value;
        await first.pubsub.publish(TOPIC, `trace ${value}`, null);
      }
    } while (!(await Promise.race([told, pause(50, false)])));
    expect(seen).toEqual({
      [`trace ${TRACE}`]: TRACE,
      "trace undefined": "",
      "trace garbage": "",
      "trace broken": "",
    });
  });
});
