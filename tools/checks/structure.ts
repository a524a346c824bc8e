import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { exceptions } from "./exceptions.ts";
import { exportedNames, importsOf, lineAt, parseSource, type Source, visit } from "./syntax.ts";
import { readText, shortName, sourcesOf, type Package, type Workspace } from "./workspace.ts";

const MAX_INDEX_LINES = 60;
const MAX_NAMES = 12;
const MAX_KERNEL_NAMES = 30;
const MAX_METHODS = 7;
/** The contract, in one file or, when that grows too long, in several that know only each other. */
const CONTRACT = /^(?:src|\.)\/contract(?:-[a-z-]+)?\.ts$/;

/** The inside of every library: the entry, the contract as a leaf, a narrow interface. */
export function checkStructure({ packages }: Workspace): readonly string[] {
  return packages
    .filter(({ kind }) => kind === "packages")
    .flatMap((found) => [...fileProblems(found), ...entryProblems(found), ...importProblems(found)]);
}

/** What is worth a look and fails nothing: interfaces of more methods than a reader keeps in mind. */
export function adviseStructure({ packages }: Workspace): readonly string[] {
  return packages.flatMap((found) => {
    const contract = join(found.path, "src/contract.ts");
    return existsSync(contract) ? wideInterfaces(found, parseSource(contract)) : [];
  });
}

function fileProblems(found: Package): readonly string[] {
  const files = ["README.md", "src/index.ts"];
  if (!exceptions.withoutContract.has(found.manifest.name)) files.push("src/contract.ts");
  const missing = files.filter((file) => !existsSync(join(found.path, file)));
  const untested = sourcesOf(found, "test").some((file) => file.endsWith(".test.ts"));
  return [
    ...missing.map((file) => `${found.dir}/${file} is missing`),
    ...(untested ? [] : [`${found.dir}/test holds no *.test.ts`]),
  ];
}

function entryProblems(found: Package): readonly string[] {
  return ["src/index.ts", "src/testing/index.ts"].flatMap((file) => {
    const path = join(found.path, file);
    if (!existsSync(path)) return [];
    const source = parseSource(path);
    const names = exportedNames(source);
    const limit = shortName(found) === "kernel" ? MAX_KERNEL_NAMES : MAX_NAMES;
    const lines = source.text.trimEnd().split("\n").length;
    const main = file === "src/index.ts";
    const rules: readonly (readonly [boolean, string])[] = [
      [main && lines > MAX_INDEX_LINES, `has ${lines} lines, at most ${MAX_INDEX_LINES}`],
      [names.includes("*"), "has `export *`: name what is public"],
      [main && names.length > limit, `exports ${names.length} names, at most ${limit}`],
      [main && !onlyExports(source), "holds more than `export … from`"],
      [
        !/^\/\*\*[^]*?@packageDocumentation[^]*?\*\//.test(source.text),
        "starts with no @packageDocumentation comment",
      ],
      [main && exampleOf(source.text) === undefined, "has no @example in its package comment"],
    ];
    return rules.filter(([broken]) => broken).map(([, text]) => `${found.dir}/${file} ${text}`);
  });
}

function onlyExports({ program }: Source): boolean {
  return program.body.every(
    (statement) =>
      statement.type === "ExportAllDeclaration" ||
      (statement.type === "ExportNamedDeclaration" && statement.source !== null),
  );
}

/** The entry is for others: an inner file that imports it makes a cycle sooner or later. */
function importProblems(found: Package): readonly string[] {
  const entry = join(found.path, "src/index.ts");
  return sourcesOf(found, "src").flatMap((file) => {
    const path = join(found.path, file);
    const relative = importsOf(parseSource(path)).filter(({ specifier }) => specifier.startsWith("."));
    const problems = relative
      .filter(({ specifier }) => resolve(dirname(path), specifier) === entry)
      .map(({ line }) => `${found.dir}/${file}:${line}: imports the package's own entry`);
    const strays = CONTRACT.test(file) ? relative.filter(({ specifier }) => !CONTRACT.test(specifier)) : [];
    return [
      ...problems,
      ...strays.map(
        ({ specifier, line }) =>
          `${found.dir}/${file}:${line}: the contract is a leaf and imports no "${specifier}"`,
      ),
    ];
  });
}

function wideInterfaces(found: Package, source: Source): readonly string[] {
  const wide: string[] = [];
  visit(source, {
    TSInterfaceDeclaration: ({ id, body, start }) => {
      const methods = body.body.filter(({ type }) => type === "TSMethodSignature").length;
      if (methods > MAX_METHODS)
        wide.push(`${found.dir}/src/contract.ts:${lineAt(source, start)}: ${id.name} has ${methods} methods`);
    },
  });
  return wide;
}

/** The code of the package comment's `@example`, without the comment's stars. */
export function exampleOf(index: string): string | undefined {
  const comment = /^\/\*\*([^]*?)\*\//.exec(index)?.[1] ?? "";
  const lines = comment.split("\n").map((line) => line.replace(/^ \* ?/, ""));
  const from = lines.findIndex((line) => line.startsWith("@example"));
  if (from < 0) return undefined;
  const to = lines.findIndex((line, i) => i > from && line.startsWith("@"));
  return lines
    .slice(from + 1, to < 0 ? undefined : to)
    .join("\n")
    .replace(/^```ts\n|\n```\s*$/g, "")
    .trim();
}

/** Text of the entry, for those who need its example. */
export function entryText(found: Package): string | undefined {
  return readText(found.path, "src/index.ts");
}
