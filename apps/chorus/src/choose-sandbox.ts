import { createSandbox, probeEngines } from "@chorus/sandbox";
import { MACHINE_IMAGE_LANGUAGES, machineImage } from "./machine-image.ts";

/** Where the demo's task will run. */
export interface SandboxChoice {
  readonly engine: "docker" | "embedded";
  readonly language: string;
  /** For people: what was chosen, and what would be better. */
  readonly line: string;
}

/** Languages of the embedded engine. */
const EMBEDDED = new Set(["python", "javascript", "shell"]);
/** The process around the choice. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Called when an image takes a while. */
  readonly onWait: (language: string) => void;
}

const WAIT_MS = 3000;
const BETTER = "install Docker for real isolation";

/**
 * Docker where it answers and has, or can get, an image for one of the languages; for the languages of this program
 * itself an image of this machine's own files stands in. Else the embedded engine. The choice is proven by making a
 * sandbox, so that the task does not fail on it later.
 * @param languages what the demo could run, the most wanted first
 */
export async function chooseSandbox(
  languages: readonly string[],
  surroundings: Surroundings,
): Promise<SandboxChoice> {
  const host = surroundings.env["CHORUS_DOCKER_HOST"];
  const reports = await probeEngines(host === undefined ? {} : { docker: { host } });
  const found = reports.find(({ engine }) => engine === "docker");
  if (found?.available !== true) return embedded(languages, `no Docker engine answers; ${BETTER}`);
  const problems: string[] = [];
  for (const language of languages) {
    const missing = await tryDocker(language, surroundings).catch((error: unknown) => {
      surroundings.signal.throwIfAborted();
      problems.push(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    if (missing !== undefined) return { engine: "docker", language, line: describe(found.version, missing) };
  }
  const own = languages.find((language) => MACHINE_IMAGE_LANGUAGES.includes(language));
  if (own !== undefined)
    try {
      const image = await machineImage({ host, signal: surroundings.signal });
      const missing = await tryDocker(own, surroundings);
      const line = `${describe(found.version, missing)}; no registry gave an image: ${image} is made of this machine's files`;
      return { engine: "docker", language: own, line };
    } catch (error) {
      surroundings.signal.throwIfAborted();
      problems.push(error instanceof Error ? error.message : String(error));
    }
  return embedded(languages, `Docker answers, but ${problems.at(-1) ?? "cannot be used"}`);
}

/** @returns the controls that are missing in a sandbox for this language */
async function tryDocker(
  language: string,
  { env, signal, onWait }: Surroundings,
): Promise<readonly string[]> {
  const host = env["CHORUS_DOCKER_HOST"];
  const timer = setTimeout(() => onWait(language), WAIT_MS);
  try {
    await using sandbox = await createSandbox(
      { language },
      {
        ...(host === undefined ? {} : { docker: { host } }),
        engine: "docker",
        images: imagesByLanguage(env["CHORUS_SANDBOX_IMAGES"]),
        pull: env["CHORUS_SANDBOX_PULL"] === "never" ? "never" : "missing",
        signal,
      },
    );
    return sandbox.isolation.missing;
  } finally {
    clearTimeout(timer);
  }
}

function describe(version: string | undefined, missing: readonly string[]): string {
  const lacks = missing.length === 0 ? "" : `; missing: ${missing.join(", ")}`;
  const name = version === undefined ? "docker" : `docker ${version}`;
  return `${name} (no network, no capabilities, read-only root, own seccomp filter${lacks})`;
}

function embedded(languages: readonly string[], why: string): SandboxChoice {
  const language = languages.find((name) => EMBEDDED.has(name)) ?? languages[0] ?? "shell";
  return { engine: "embedded", language, line: `embedded (simulated shell): ${why}` };
}

function imagesByLanguage(text: string | undefined): Record<string, string> {
  const pairs = (text ?? "").split(",").filter((pair) => pair.includes("="));
  return Object.fromEntries(pairs.map((pair) => pair.trim().split(/=(.*)/s).slice(0, 2)));
}
