import { InvalidInputError } from "@chorus/kernel";
import type { DockerEndpoint, EngineReport, Sandbox, SandboxOptions, SandboxSpec } from "./contract.ts";
import { resolveSpec } from "./defaults.ts";
import { connect, type Engine, reasonOf } from "./docker/client.ts";
import { dockerSandbox, isolationOf } from "./docker/sandbox.ts";
import { EMBEDDED_ISOLATION, embeddedSandbox } from "./embedded/sandbox.ts";
import { NoEngineError, UnsupportedByEngineError } from "./errors.ts";
import { selectImage } from "./image.ts";
import { LANGUAGE_NAMES, parseLanguage } from "./language.ts";

/** What the embedded engine can run. */
const EMBEDDED_LANGUAGES: ReadonlySet<string> = new Set(["shell", "python", "javascript"]);

/**
 * Makes a sandbox: in Docker where an engine answers, else embedded. There is no way back: once an engine is chosen,
 * a missing image or a failed start is an error, never a quieter, weaker sandbox.
 * @throws `sandbox/no-engine`, `sandbox/image-unavailable`, `sandbox/image-refused`, `sandbox/unsupported-by-engine`,
 *   `sandbox/start-failed`, `kernel/invalid-input`
 */
export async function createSandbox(spec: SandboxSpec, options: SandboxOptions = {}): Promise<Sandbox> {
  const { signal, logger } = options;
  signal?.throwIfAborted();
  const resolved = resolveSpec(spec);
  const language = checkLanguage(spec.language ?? "shell");
  const engine = await chooseEngine(spec, options);
  if (engine !== undefined) {
    const named = spec.image === undefined ? {} : { image: spec.image };
    const { image } = selectImage([{ language }], { ...policyOf(options), ...named });
    const isChosenFreely = spec.image === undefined && options.images?.[language] === undefined;
    const preparedFor = isChosenFreely && options.allow === undefined ? language : undefined;
    const pull = options.pull ?? "missing";
    return dockerSandbox(engine, { image, preparedFor, spec: resolved, pull, logger, signal });
  }
  if (!EMBEDDED_LANGUAGES.has(language)) throw new UnsupportedByEngineError("embedded", language);
  return embeddedSandbox(resolved, { logger, signal });
}

/** Looks at both engines as they are now; never rejects on account of an absent one. */
export async function probeEngines(
  options: { readonly docker?: DockerEndpoint } = {},
): Promise<EngineReport[]> {
  const embedded: EngineReport = {
    engine: "embedded",
    available: true,
    level: EMBEDDED_ISOLATION.level,
    missing: EMBEDDED_ISOLATION.missing,
  };
  try {
    const engine = await connect(options.docker);
    const { level, missing } = isolationOf(engine);
    return [{ engine: "docker", available: true, level, missing, version: engine.version }, embedded];
  } catch (error) {
    return [
      { engine: "docker", available: false, level: "container", missing: [], reason: reasonOf(error) },
      embedded,
    ];
  }
}

/** The Docker engine to use, or undefined for the embedded one. */
async function chooseEngine(spec: SandboxSpec, options: SandboxOptions): Promise<Engine | undefined> {
  const needsContainer = spec.isolation === "container";
  if (options.engine === "embedded") {
    if (needsContainer)
      throw new NoEngineError("isolation level container", "the embedded engine was asked for");
    return undefined;
  }
  try {
    return await connect(options.docker);
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    if (!needsContainer && options.engine === undefined) return undefined;
    throw new NoEngineError("containers", `Docker does not answer (${reasonOf(error)})`, error);
  }
}

function checkLanguage(name: string): string {
  const language = parseLanguage(name);
  if (language === undefined)
    throw new InvalidInputError("language", `is none of ${LANGUAGE_NAMES.join(", ")}`);
  return language;
}

function policyOf({ images, allow }: SandboxOptions): Pick<SandboxOptions, "images" | "allow"> {
  return { ...(images !== undefined && { images }), ...(allow !== undefined && { allow }) };
}
