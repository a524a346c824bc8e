import { join } from "node:path";
import { errorCode } from "@chorus/kernel";
import type { Components } from "@chorus/coordinator";
import { fileDelivery, gitPush, httpCall, ucxlPublish } from "@chorus/effects";
import type { Base } from "./base.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./errors.ts";

export type Effectors = NonNullable<Components["effectors"]>;

/**
 * What this peer may do outside: the kinds that its configuration has rules for, and a program's own, which come
 * before ours of the same kind.
 * @throws 'node/invalid-config'
 */
export function effectorsOf(config: Config, { storage, sentinel }: Base, own: Effectors): Effectors {
  const { effectsGit, effectsHttp, effectsFiles, effectsUcxl, effectsCredentials: credentials } = config;
  const directory = join(config.dataDirectory, "effects", "git");
  const ours = [
    effectsGit.length === 0
      ? undefined
      : told("CHORUS_EFFECTS_GIT", () => gitPush({ directory, allow: effectsGit, credentials })),
    effectsHttp.length === 0
      ? undefined
      : told("CHORUS_EFFECTS_HTTP", () => httpCall({ allow: effectsHttp, credentials })),
    effectsFiles.length === 0
      ? undefined
      : told("CHORUS_EFFECTS_FILES", () => fileDelivery({ bases: effectsFiles })),
    effectsUcxl ? ucxlPublish({ storage, redactor: sentinel }) : undefined,
  ];
  const others = ours.filter((one) => one !== undefined && !own.some(({ kind }) => kind === one.kind));
  return [...own, ...others.flatMap((one) => one ?? [])];
}

/** What a claim says about them. */
export function effectCapabilities(effectors: Effectors): readonly string[] {
  return effectors.map(({ kind }) => `effect:${kind}`);
}

/** A rule that is wrong is a setting that is wrong. */
function told<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (errorCode(error) !== "effects/invalid-effect" || !(error instanceof Error)) throw error;
    throw new ConfigError([{ name, problem: error.message }]);
  }
}
