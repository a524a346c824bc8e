import { readFileSync } from "node:fs";
import { join } from "node:path";
import { prose, sampleOf, section } from "./markdown.ts";
import { parseSource, visit } from "./syntax.ts";
import { entryText, exampleOf } from "./structure.ts";
import { readText, sourcesOf, type Package, type Workspace } from "./workspace.ts";

const SECTIONS = ["Install", "Use", "Contract", "Errors", "Not here", "License"];
const MAX_LINES = 80;

/** Every README answers a reader's questions in one order; its sample and its codes are those of the source. */
export function checkReadmes({ packages }: Workspace): readonly string[] {
  return packages.flatMap((found) => {
    const text = readText(found.path, "README.md");
    if (text === undefined) return found.kind === "apps" ? [`${found.dir}/README.md is missing`] : [];
    const problems =
      found.kind === "packages"
        ? [...shapeProblems(found, text), ...sampleProblems(found, text), ...codeProblems(found, text)]
        : titleProblems(found, text);
    return [...problems, ...lengthProblems(text)].map((problem) => `${found.dir}/README.md: ${problem}`);
  });
}

function shapeProblems(found: Package, text: string): readonly string[] {
  const headings = [...prose(text).matchAll(/^## (.*)$/gm)].map((match) => match[1]);
  const [intro = ""] = text.replace(/^# .*\n/, "").split(/^## /m);
  const wrong =
    headings.join(", ") === SECTIONS.join(", ")
      ? []
      : [`its sections are ${headings.join(", ")}; expected ${SECTIONS.join(", ")}`];
  const sentence = /^[^\n].*(\n[^\n].*)*$/.test(intro.trim())
    ? []
    : ["one sentence stands between title and Install"];
  return [...titleProblems(found, text), ...sentence, ...wrong];
}

function titleProblems({ manifest }: Package, text: string): readonly string[] {
  return text.startsWith(`# ${manifest.name}\n`) ? [] : [`its title is not "# ${manifest.name}"`];
}

function lengthProblems(text: string): readonly string[] {
  const lines = text.trimEnd().split("\n").length;
  return lines > MAX_LINES ? [`it has ${lines} lines, at most ${MAX_LINES}`] : [];
}

function sampleProblems(found: Package, text: string): readonly string[] {
  const index = entryText(found);
  if (index === undefined) return [];
  const sample = sampleOf(text);
  if (sample === undefined) return ["Use holds no ```ts sample"];
  return sample === exampleOf(index)
    ? []
    : ["the sample under Use differs from the @example in src/index.ts"];
}

/** The table under Errors lists every literal code of the sources, and none that they do not hold. */
function codeProblems(found: Package, text: string): readonly string[] {
  const table = section(text, "Errors") ?? "";
  if (!/^\|\s*code\s*\|\s*when\s*\|\s*retryable\s*\|$/m.test(table))
    return ["Errors holds no table with the columns code, when, retryable"];
  const listed = [...table.matchAll(/^\|\s*`([^`]+)`/gm)].map((match) => match[1] ?? "");
  const { declared, mentioned } = codesOf(found);
  // The kernel's errors may pass through; `x/<what>` stands for a family.
  const others = listed.filter((code) => code.startsWith("kernel/") || code.includes("<"));
  return [
    ...declared.filter((code) => !listed.includes(code)).map((code) => `Errors does not list \`${code}\``),
    ...listed
      .filter((code) => !mentioned.includes(code) && !others.includes(code))
      .map((code) => `Errors lists \`${code}\`, which no source holds`),
  ];
}

function codesOf(found: Package): {
  readonly declared: readonly string[];
  readonly mentioned: readonly string[];
} {
  const declared = new Set<string>();
  const mentioned = new Set<string>();
  for (const file of sourcesOf(found, "src")) {
    if (file.startsWith("src/testing/")) continue;
    visit(parseSource(join(found.path, file)), {
      PropertyDefinition: ({ key, value }) => {
        const isCode = key.type === "Identifier" && key.name === "code";
        if (isCode && value?.type === "Literal" && typeof value.value === "string") declared.add(value.value);
      },
    });
    for (const [, text = ""] of readFileSync(join(found.path, file), "utf8").matchAll(
      /["'`]([a-z0-9-]+\/[a-z0-9-]+)["'`]/g,
    ))
      mentioned.add(text);
  }
  return { declared: [...declared], mentioned: [...mentioned] };
}
