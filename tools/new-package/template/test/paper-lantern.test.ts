import { errorCode } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { expect, it } from "vitest";
import { paperLantern } from "../src/paper-lantern.ts";

const signal = new AbortController().signal;

it("counts down to its limit, by the injected clock", async () => {
  const instance = paperLantern({ clock: manualClock(1000) }, { limit: 2 });
  expect(await instance.light({ signal })).toEqual({ at: 1000, left: 1 });
  expect(await instance.light({ signal })).toEqual({ at: 1000, left: 0 });
});

it("refuses once the limit is reached", async () => {
  const instance = paperLantern({ clock: manualClock() });
  await instance.light({ signal });
  const error = await instance.light({ signal }).catch((thrown: unknown) => thrown);
  expect(errorCode(error)).toBe("paper-lantern/burnt-out");
});

it("uses nothing up when it is cancelled", async () => {
  const instance = paperLantern({ clock: manualClock() });
  const reason = new Error("enough");
  await expect(instance.light({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await instance.light({ signal })).toMatchObject({ left: 0 });
});
