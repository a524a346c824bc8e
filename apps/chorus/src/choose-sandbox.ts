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
const BETTER = "install Docker for real isolation";

/**
 * Docker where it answers and has, or can get, an image for one of the languages; else the embedded engine. The
 * choice is proven by making a sandbox, so that the task does not fail on it later.
 * @param languages what the demo could run, the most wanted first
 */
export async function chooseSandbox(
  languages: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
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
    try {
      await using sandbox = await createSandbox({ language }, { ...docker, engine: "docker", images, pull });
      const missing =
        sandbox.isolation.missing.length === 0 ? "" : `; missing: ${sandbox.isolation.missing.join(", ")}`;
      const version = found.version === undefined ? "" : ` ${found.version}`;
      const line = `docker${version} (no network, no capabilities, read-only root, own seccomp filter${missing})`;
      return { engine: "docker", language, line };
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return embedded(languages, `Docker answers, but ${problems.at(-1) ?? "cannot be used"}`);
}

function embedded(languages: readonly string[], why: string): SandboxChoice {
  const language = languages.find((name) => EMBEDDED.has(name)) ?? languages[0] ?? "shell";
  return { engine: "embedded", language, line: `embedded (simulated shell): ${why}` };
}

function imagesByLanguage(text: string | undefined): Record<string, string> {
  const pairs = (text ?? "").split(",").filter((pair) => pair.includes("="));
  return Object.fromEntries(pairs.map((pair) => pair.trim().split(/=(.*)/s).slice(0, 2)));
}
