import { describe, expect, it } from "vitest";
import { BUILT_IN_RULES } from "../src/rules.ts";
import { setup } from "./setup.ts";

const sentinel = setup();
const SIZE = 32 * 1024;

/** CPU time, because other processes share the machine; the better of two, because of the collector. */
function cost(text: string): number {
  const once = (): number => {
    const before = process.cpuUsage();
    sentinel.scan(text);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  return Math.min(once(), once());
}

function fill(unit: string): string {
  return unit.repeat(Math.ceil(SIZE / unit.length)).slice(0, SIZE);
}

describe("hostile text", () => {
  it("costs no more than a small multiple per character, whatever anchor it repeats", () => {
    const anchors = [
      ...BUILT_IN_RULES.flatMap(({ anchors }) => anchors),
      "://",
      "eyJ",
      "-----BEGIN PRIVATE KEY-----",
    ];
    const shapes = anchors.flatMap((anchor) => [fill(anchor), fill(`-${anchor}`), fill(`.${anchor}Ab1`)]);
    shapes.push(...["a:b@", "://a:b", "eyJhbGciOiJub25lIn0.", "\\", "-----BEGIN ", "\n", "[shhh:"].map(fill));
    const slow = shapes.map((text) => ({ text: text.slice(0, 40), us: cost(text) }));
    slow.sort((a, b) => b.us - a.us);
    // 32 KiB in 60 ms is 0.5 MB/s on one busy core; what backtracking costs is seconds.
    expect(slow[0]).toSatisfy(({ us }: { us: number }) => us < 60_000);
  });

  it("costs no more than linear time when one candidate never ends", () => {
    const time = (length: number): number =>
      cost(`eyJhbGciOiJub25lIn0.${"-eyJhbGciOiJub25lIn0.".repeat(length / 21)}`);
    time(SIZE);
    expect(time(SIZE * 8)).toBeLessThan(40 * Math.max(time(SIZE), 1000));
  });
});
