import type { LanguageGuess } from "./contract.ts";

interface Speaks {
  readonly manifests: readonly string[];
  readonly extensions: readonly string[];
  readonly aliases: readonly string[];
}

const LANGUAGES: Readonly<Record<string, Speaks>> = {
  python: {
    manifests: ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "tox.ini"],
    extensions: ["py"],
    aliases: ["py", "python3"],
  },
  typescript: { manifests: ["tsconfig.json"], extensions: ["ts", "tsx", "mts", "cts"], aliases: ["ts"] },
  javascript: {
    manifests: ["package.json"],
    extensions: ["js", "jsx", "mjs", "cjs"],
    aliases: ["js", "node", "nodejs"],
  },
  go: { manifests: ["go.mod", "go.work"], extensions: ["go"], aliases: ["golang"] },
  rust: { manifests: ["Cargo.toml"], extensions: ["rs"], aliases: ["rs"] },
  java: {
    manifests: ["pom.xml", "build.gradle", "build.gradle.kts"],
    extensions: ["java", "kt"],
    aliases: ["kotlin", "jvm"],
  },
  c: {
    manifests: ["CMakeLists.txt", "meson.build", "configure.ac"],
    extensions: ["c", "h", "cc", "cpp", "cxx", "hpp"],
    aliases: ["c++", "cpp", "cxx"],
  },
  shell: { manifests: [], extensions: ["sh", "bash", "bats"], aliases: ["sh", "bash"] },
};

/** Folders with other people's code or with products. */
const FOREIGN = /(?:^|\/)(?:node_modules|vendor|dist|build|target|\.git|__pycache__|\.?venv|site-packages)\//;

/** A manifest outweighs all extensions together, which share this much. */
const MANIFEST_SCORE = 100;
const EXTENSIONS_SCORE = 50;

/** The language by its own name or a common alias; undefined for an unknown one. */
export function parseLanguage(name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.keys(LANGUAGES).find((key) => key === lower || LANGUAGES[key]?.aliases.includes(lower));
}

/** The names that {@link parseLanguage} answers with. */
export const LANGUAGE_NAMES: readonly string[] = Object.keys(LANGUAGES);

/**
 * Ranks the languages of a project by the paths of its files, relative to its root; contents are not read.
 * Manifests come first (the nearer to the root, the heavier), then the share of files by extension.
 * @returns the surest first; empty when nothing speaks for any
 */
export function detectLanguage(files: readonly string[]): LanguageGuess[] {
  const own = files.map((file) => file.replace(/^\.\//, "")).filter((file) => !FOREIGN.test(file));
  const known = new Set(Object.values(LANGUAGES).flatMap(({ extensions }) => extensions));
  const sources = own.filter((file) => known.has(extensionOf(file))).length;
  return Object.entries(LANGUAGES)
    .map(([language, speaks]) => guess(language, { speaks, own, sources }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
}

function guess(
  language: string,
  { speaks, own, sources }: { speaks: Speaks; own: readonly string[]; sources: number },
): LanguageGuess {
  const manifests = own
    .filter((file) => speaks.manifests.includes(file.slice(file.lastIndexOf("/") + 1)))
    .sort((a, b) => depthOf(a) - depthOf(b));
  const files = own.filter((file) => speaks.extensions.includes(extensionOf(file))).length;
  // A Makefile alone says nothing about the language; beside C sources it does.
  const makefile = language === "c" && files > 0 && own.includes("Makefile") ? ["Makefile"] : [];
  const found = [...manifests, ...makefile];
  const nearest = found[0];
  const manifestScore = nearest === undefined ? 0 : MANIFEST_SCORE / (1 + depthOf(nearest));
  const extensionScore = sources === 0 ? 0 : (EXTENSIONS_SCORE * files) / sources;
  return {
    language,
    score: Math.round(manifestScore + extensionScore),
    reasons: [
      ...found.slice(0, 3),
      ...(files === 0 ? [] : [`${files} ${files === 1 ? "file" : "files"} *.${speaks.extensions.join("|")}`]),
    ],
  };
}

function depthOf(file: string): number {
  return file.split("/").length - 1;
}

function extensionOf(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}
