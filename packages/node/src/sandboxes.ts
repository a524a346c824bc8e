import type { Sandboxes } from "@chorus/engine";
import { createSandbox, detectLanguage, probeEngines } from "@chorus/sandbox";
import type { Config } from "./config.ts";

/** Makes sandboxes as the configuration says. */
export function sandboxes(config: Config): Sandboxes {
  return {
    async create(request, { signal }) {
      const language = request.language ?? detectLanguage([...request.files])[0]?.language;
      return createSandbox(
        {
          ...(language === undefined ? {} : { language }),
          ...(request.image === undefined ? {} : { image: request.image }),
          ...(request.isolation === undefined ? {} : { isolation: request.isolation }),
          ...(request.memoryBytes === undefined ? {} : { memoryBytes: request.memoryBytes }),
          ...(request.cpus === undefined ? {} : { cpus: request.cpus }),
        },
        {
          ...(config.sandboxEngine === "auto" ? {} : { engine: config.sandboxEngine }),
          ...(config.dockerHost === undefined ? {} : { docker: { host: config.dockerHost } }),
          images: config.sandboxImages,
          pull: config.sandboxPull,
          signal,
        },
      );
    },
  };
}

/** What the engines on this machine offer, in the coordinator's words, and for people. */
export interface SandboxOffer {
  readonly capabilities: readonly string[];
  /** Undefined when no engine works here. */
  readonly best?: { readonly engine: string; readonly level: string; readonly version?: string };
}

/** Asks the engines once, at start. */
export async function sandboxOffer(config: Config): Promise<SandboxOffer> {
  const reports = await probeEngines(
    config.dockerHost === undefined ? {} : { docker: { host: config.dockerHost } },
  );
  const usable = reports.filter(
    ({ available, engine }) =>
      available && (config.sandboxEngine === "auto" || engine === config.sandboxEngine),
  );
  const best = usable.find(({ engine }) => engine === "docker") ?? usable[0];
  if (best === undefined) return { capabilities: [] };
  const levels =
    best.level === "container" ? ["isolation:container", "isolation:simulated"] : ["isolation:simulated"];
  const { engine, level, version } = best;
  return {
    capabilities: [...levels, "language:*"],
    best: { engine, level, ...(version === undefined ? {} : { version }) },
  };
}
