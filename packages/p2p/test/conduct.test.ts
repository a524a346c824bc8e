import { createSigner, type PeerId } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { Conduct } from "../src/conduct.ts";
import { recordingLogger } from "./fixtures/mesh.ts";

const [mallory, alice] = (await Promise.all([1, 2].map((n) => createSigner(new Uint8Array(32).fill(n))))).map(
  ({ peer }) => peer,
) as [PeerId, PeerId];
const MINUTE = 60_000;

function setup() {
  const clock = manualClock();
  const logger = recordingLogger();
  const cut: PeerId[] = [];
  const conduct = new Conduct({ clock, logger }, (peer) => cut.push(peer));
  const offend = (peer: PeerId, times: number): void => {
    for (let n = 0; n < times; n++) conduct.offend(peer, "forged");
  };
  return { clock, logger, cut, conduct, offend };
}

describe("a peer that breaks the rules", () => {
  it("is cut off at the sixth offence in a row, aloud and alone", () => {
    const { logger, cut, conduct, offend, clock } = setup();
    offend(alice, 5);
    offend(mallory, 5);
    expect(cut).toEqual([]);
    offend(mallory, 1);
    expect(cut).toEqual([mallory]);
    expect(conduct.refusedUntil(mallory)).toBe(clock.monotonic() + MINUTE);
    expect(conduct.refusedUntil(alice)).toBeUndefined();
    expect(logger.lines).toMatchObject([{ fields: { peer: mallory, problem: "forged", refusedMs: MINUTE } }]);
  });

  it("is forgiven one offence in half a minute", async () => {
    const { clock, cut, offend } = setup();
    for (let n = 0; n < 100; n++) {
      offend(mallory, 1);
      await clock.advance(30_000);
    }
    expect(cut).toEqual([]);
    for (let n = 0; n < 12; n++) {
      offend(mallory, 1);
      await clock.advance(15_000);
    }
    expect(cut).toEqual([mallory]);
  });

  it("is refused for twice as long each time, and for an hour at most", async () => {
    const { clock, conduct, offend } = setup();
    const refusals: number[] = [];
    for (let round = 0; round < 9; round++) {
      offend(mallory, 6);
      refusals.push((conduct.refusedUntil(mallory) ?? 0) - clock.monotonic());
      await clock.advance(refusals.at(-1) ?? 0);
      expect(conduct.refusedUntil(mallory)).toBeUndefined();
    }
    expect(refusals.map((ms) => ms / MINUTE)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it("is not refused for longer by what was still on its way", () => {
    const { cut, conduct, offend } = setup();
    offend(mallory, 6);
    const until = conduct.refusedUntil(mallory);
    offend(mallory, 1_000);
    expect(conduct.refusedUntil(mallory)).toBe(until);
    expect(cut).toEqual([mallory]);
  });

  it("stays cut off, however many names are made up to have it forgotten", () => {
    const { conduct, offend } = setup();
    offend(mallory, 6);
    for (let n = 0; n < 5_000; n++) offend(`${alice}${n}` as PeerId, 1);
    expect(conduct.refusedUntil(mallory)).toBeDefined();
  });
});
