import type { Command, EngineTask } from "./contract.ts";
import { NothingToRunError } from "./errors.ts";
import { filesOf, textOf, type Tree } from "./tree.ts";

/** Knows one way in which projects are tested. */
export interface Recipe {
  readonly id: string;
  readonly language: string;
  /** What it looks for, for people. */
  readonly looksFor: string;
  /** The commands for a project, or undefined when it is of another kind. */
  readonly commands: (project: Project) => readonly string[] | undefined;
}

/** A project as recipes see it. */
export interface Project {
  /** Paths of its own files: what was installed or generated is left out. */
  readonly files: readonly string[];
  readonly text: (path: string) => string | undefined;
}

const FOREIGN = /(?:^|\/)(?:node_modules|vendor|dist|build|target|\.git|__pycache__|\.?venv|site-packages)\//;
const PYTHON_TEST = /(?:^|\/)test[^/]*\.py$/;
const PYTHON_TEST_SUFFIX = /(?:^|\/)[^/]+_test\.py$/;
const NODE_TEST =
  /(?:\.|-|_)test\.[cm]?[jt]s$|(?:^|\/)test\/[^/]+\.[cm]?[jt]s$|(?:^|\/)test(?:-[^/]+)?\.[cm]?[jt]s$/;

/** In order: the first that fits is used. A project's own test command goes before a guess. */
const RECIPES: readonly Recipe[] = [
  {
    id: "python-pytest",
    language: "python",
    looksFor: "pytest.ini, conftest.py or a pytest section in pyproject.toml, setup.cfg, tox.ini",
    commands: ({ files, text }) => {
      const isConfigured =
        files.some((file) => /(?:^|\/)(?:conftest\.py|pytest\.ini)$/.test(file)) ||
        /^\[tool\.pytest/m.test(text("pyproject.toml") ?? "") ||
        /^\[(?:tool:)?pytest\]/m.test(`${text("setup.cfg") ?? ""}\n${text("tox.ini") ?? ""}`);
      return isConfigured ? ["python3 -m pytest"] : undefined;
    },
  },
  {
    id: "python-unittest",
    language: "python",
    looksFor: "test*.py or *_test.py",
    commands: ({ files }) => {
      const prefixed = files.filter((file) => PYTHON_TEST.test(file));
      const suffixed = files.filter((file) => PYTHON_TEST_SUFFIX.test(file));
      const tests = prefixed.length > 0 ? prefixed : suffixed;
      return tests.length === 0 ? undefined : [unittest(files, tests)];
    },
  },
  {
    id: "npm-test",
    language: "javascript",
    looksFor: "package.json with a test script",
    commands: ({ text }) => (hasTestScript(text("package.json")) ? ["npm test"] : undefined),
  },
  {
    id: "node-test",
    language: "javascript",
    looksFor: "*.test.js, *.test.mjs, *.test.ts or a test folder with such files",
    commands: ({ files }) => (files.some((file) => NODE_TEST.test(file)) ? ["node --test"] : undefined),
  },
  {
    id: "go-test",
    language: "go",
    looksFor: "go.mod",
    commands: ({ files }) => (files.includes("go.mod") ? ["go test ./..."] : undefined),
  },
  {
    id: "cargo-test",
    language: "rust",
    looksFor: "Cargo.toml",
    // The sandbox has no network; without the flag cargo tries it for a minute before it says so.
    commands: ({ files }) => (files.includes("Cargo.toml") ? ["cargo test --offline"] : undefined),
  },
  {
    id: "make-test",
    language: "c",
    looksFor: "a Makefile with a test target",
    commands: ({ text }) =>
      /^test\s*:(?!=)/m.test(text("Makefile") ?? text("makefile") ?? "") ? ["make test"] : undefined,
  },
];

/** Test files in one folder are found from there; a package of tests needs the project as its top. */
function unittest(files: readonly string[], tests: readonly string[]): string {
  const pattern = tests.some((file) => PYTHON_TEST.test(file)) ? "" : " -p '*_test.py'";
  const folders = new Set(tests.map((file) => (file.includes("/") ? (file.split("/", 1)[0] ?? "") : "")));
  const [folder = ""] = folders;
  // The name goes into a shell line.
  if (folders.size !== 1 || folder === "" || !/^[A-Za-z0-9_.-]+$/.test(folder) || folder.startsWith("-"))
    return `python3 -m unittest discover -v${pattern}`;
  const top = files.includes(`${folder}/__init__.py`) ? " -t ." : "";
  return `python3 -m unittest discover -v -s ${folder}${top}${pattern}`;
}

function hasTestScript(manifest: string | undefined): boolean {
  if (manifest === undefined) return false;
  try {
    const value: unknown = JSON.parse(manifest);
    if (typeof value !== "object" || value === null || !("scripts" in value)) return false;
    const { scripts } = value;
    if (typeof scripts !== "object" || scripts === null || !("test" in scripts)) return false;
    // What `npm init` writes is no test.
    return typeof scripts.test === "string" && !scripts.test.includes("no test specified");
  } catch {
    return false;
  }
}

/** What a run will do. */
export interface Plan {
  readonly commands: readonly Command[];
  /** Come last; they are the task's own. */
  readonly acceptance: readonly Command[];
  readonly language?: string;
  readonly recipe?: string;
}

/** The task's own commands, or those of the first recipe that fits. @throws NothingToRunError */
export function choosePlan(spec: EngineTask["spec"], source: Tree | undefined): Plan {
  const wanted = spec.requirements?.language;
  const acceptance = spec.acceptance ?? [];
  const named = { acceptance, ...(wanted === undefined ? {} : { language: wanted }) };
  if (spec.commands !== undefined && spec.commands.length > 0) return { ...named, commands: spec.commands };
  if (source === undefined)
    throw new NothingToRunError(
      "the task has neither commands nor a source, and this peer runs no model: add `commands`, or a `source` input whose tests can be found",
    );
  const project: Project = {
    files: filesOf(source).filter((file) => !FOREIGN.test(file)),
    text: (path) => textOf(source, path),
  };
  for (const { id, language, commands } of RECIPES.filter((recipe) => fits(recipe, wanted))) {
    const lines = commands(project);
    if (lines !== undefined)
      return {
        language: wanted ?? language,
        recipe: id,
        commands: lines.map((run) => ({ run })),
        acceptance,
      };
  }
  const searched = RECIPES.filter((recipe) => fits(recipe, wanted)).map(({ looksFor }) => looksFor);
  throw new NothingToRunError(
    `no test recipe fits the source${wanted === undefined ? "" : ` as ${wanted}`} (looked for: ${searched.join("; ") || "nothing"}): add \`commands\`, for example [{"run": "make test"}]`,
  );
}

const ALIASES: Readonly<Record<string, string>> = {
  typescript: "javascript",
  node: "javascript",
  js: "javascript",
  ts: "javascript",
  py: "python",
  python3: "python",
  golang: "go",
  rs: "rust",
};

function fits({ language, id }: Recipe, wanted: string | undefined): boolean {
  if (wanted === undefined || id === "make-test") return true;
  const name = wanted.toLowerCase();
  return language === (ALIASES[name] ?? name);
}
