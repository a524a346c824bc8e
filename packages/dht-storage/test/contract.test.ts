import { manualClock } from "@chorus/kernel/testing";
import { describe, it } from "vitest";
import { memoryStorage, storageContract } from "../src/testing/index.ts";
import { setup, signerOf } from "./fixtures/mesh.ts";

const time = () => {
  const clock = manualClock();
  return { clock, now: () => clock.now(), advance: (ms: number) => clock.advance(ms) };
};

describe("the contract, on disk", () => {
  for (const { name, run } of storageContract)
    it(name, async () => {
      await using mesh = setup();
      await run(async () => {
        const { clock, ...rest } = time();
        return { ...rest, ...(await mesh.join("a", { clock })) };
      });
    });
});

describe("the contract, in memory", () => {
  for (const { name, run } of storageContract)
    it(name, () =>
      run(async () => {
        const { clock, ...rest } = time();
        const signer = await signerOf("a");
        return { ...rest, storage: memoryStorage({ signer, clock }), peer: signer.peer };
      }),
    );
});
