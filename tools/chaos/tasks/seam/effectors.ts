import type { Components } from "@chorus/coordinator";
import { probe } from "../probe.ts";
import { delegate } from "./delegate.ts";

type Effector = NonNullable<Components["effectors"]>[number];

/** The effectors that the agent's configuration gives it; their acts can be held. */
export function probedEffectors({ effectors = [] }: Components): readonly Effector[] {
  return effectors.map((effector) =>
    delegate(effector, {
      async act(effect, payload, options) {
        await probe().reach("effect:permitted", effect.taskId);
        const receipt = await effector.act(effect, payload, options);
        // A planted defect: the same effect under another key.
        if (probe().has("twice") && effector.kind === "http") {
          const key = effect.key.split("").toReversed().join("");
          await effector.act(Object.assign({}, effect, { key }), payload, options);
        }
        await probe().reach("effect:made", effect.taskId);
        return receipt;
      },
    }),
  );
}
