import { silentLogger, systemClock } from "@chorus/kernel";
import { afterAll, describe, it } from "vitest";
import { eventLog } from "../src/index.ts";
import { eventLogContract, memoryEventLog } from "../src/testing/index.ts";
import { Place } from "./fixtures/setup.ts";

const places: Place[] = [];
afterAll(() => {
  for (const place of places) place[Symbol.dispose]();
});

describe("the log in memory", () => {
  it.each(eventLogContract)("$name", ({ run }) =>
    run((signer, options) => memoryEventLog({ signer }, options)),
  );
});

describe("the log on disk", () => {
  it.each(eventLogContract)("$name", ({ run }) =>
    run((signer, options) => {
      const place = new Place();
      places.push(place);
      const components = { signer, clock: systemClock, logger: silentLogger };
      return eventLog(components, { ...options, file: place.file });
    }),
  );
});
