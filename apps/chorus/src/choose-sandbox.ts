import { createSandbox, probeEngines } from "@chorus/sandbox";

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
 * Docker where it answers and has, or can get, an image for one of the languages; else the embedded engine. The
 * choice is proven by making a sandbox, so that the task does not fail on it later.
 * @param languages what the demo could run, the most wanted first
 */
export async function chooseSandbox(
  languages: readonly string[],
  { env, signal, onWait }: Surroundings,
): Promise<SandboxChoice> {
  const host = env["CHORUS_DOCKER_HOST"];
  const docker = host === undefined ? {} : { docker: { host } };
  const reports = await probeEngines(docker);
  const found = reports.find(({ engine }) => engine === "docker");
  if (found?.available !== true) return embedded(languages, `no Docker engine answers; ${BETTER}`);
  const images = imagesByLanguage(env["CHORUS_SANDBOX_IMAGES"]);
  const pull = env["CHORUS_SANDBOX_PULL"] === "never" ? ("never" as const) : ("missing" as const);
  const problems: string[] = [];
  for (const language of languages) {
    const timer = setTimeout(() => onWait(language), WAIT_MS);
    try {
      const options = { ...docker, engine: "docker" as const, images, pull, signal };
      await using sandbox = await createSandbox({ language }, options);
      return { engine: "docker", language, line: describe(found.version, sandbox.isolation.missing) };
    } catch (error) {
      signal.throwIfAborted();
      problems.push(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
  }
  return embedded(languages, `Docker answers, but ${problems.at(-1) ?? "cannot be used"}`);
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
