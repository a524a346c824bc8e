// What packages/node imports as `@chorus/election` in an agent of the harness.
import { election as realElection } from "@chorus/election";
import { probe } from "../probe.ts";
import { delegate } from "./delegate.ts";

export * from "@chorus/election";

/** An election whose hand-over can be held. */
export const election: typeof realElection = async (...args) => {
  const real = await realElection(...args);
  return delegate(real, {
    handOver: async () => {
      await probe().reach("hand-over:asked");
      await Promise.all([real.handOver(), probe().reach("hand-over:under-way")]);
      await probe().reach("hand-over:answered");
    },
  });
};
