import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseSource, parseText, visit, type Source } from "./syntax.ts";
import { readText, shortName, type Package, type Workspace } from "./workspace.ts";

const FOLDER = "tools/api";

/**
 * Compares the public declarations of every built library with its committed snapshot, so that a change of
 * the interface is a line in a diff that someone has to accept.
 */
export function checkApi({ root, packages }: Workspace, update: boolean): readonly string[] {
  return packages
    .filter(({ kind }) => kind === "packages")
    .flatMap((found) => {
      const built = renderApi(found);
      if (built === undefined) return [`${found.dir}: dist/index.d.ts is missing: build first`];
      const known = readText(root, snapshotOf(found)) ?? "";
      if (known === built) return [];
      if (!update) return [outdated(found), ...changes(known, built)];
      writeSnapshot(root, found);
      return [];
    });
}

/** Accepts what is built as the interface. */
export function writeSnapshot(root: string, found: Package): void {
  mkdirSync(join(root, FOLDER), { recursive: true });
  writeFileSync(join(root, snapshotOf(found)), renderApi(found) ?? "");
}

function outdated(found: Package): string {
  return `${snapshotOf(found)} is not what ${found.dir} exports (npm run verify -- --update accepts it)`;
}

function snapshotOf(found: Package): string {
  return `${FOLDER}/${shortName(found)}.txt`;
}

/** The declarations that each entry exports, by name, followed by those they need and do not export. */
export function renderApi(found: Package): string | undefined {
  const entries = Object.entries(found.manifest.publishConfig?.exports ?? {});
  const parts: string[] = [];
  const printed = new Set<string>();
  for (const [subpath, conditions] of entries) {
    const file = join(found.path, conditions["types"] ?? "");
    if (!existsSync(file)) return undefined;
    const { exported, inner } = declarationsFrom(file, printed);
    parts.push(`// ${found.manifest.name}${subpath.slice(1)}\n`, ...exported);
    if (inner.length > 0) parts.push("// not exported, needed by the above\n", ...inner);
  }
  return parts.join("\n");
}

interface Declaration {
  readonly name: string;
  readonly file: string;
  readonly text: string;
}

/** @param printed keys of what an earlier entry has shown; grows */
function declarationsFrom(
  entry: string,
  printed: Set<string>,
): { readonly exported: readonly string[]; readonly inner: readonly string[] } {
  const roots = exportsOf(parseSource(entry)).map((name) => [name, exportedAs(entry, name)] as const);
  for (const [, declaration] of roots) if (declaration) printed.add(keyOf(declaration));
  const inner: Declaration[] = [];
  const addNeeds = ({ file, text }: Declaration) => {
    for (const name of namesIn(text)) {
      const needed = lookUp(file, name);
      if (!needed || printed.has(keyOf(needed))) continue;
      printed.add(keyOf(needed));
      inner.push(needed);
      addNeeds(needed);
    }
  };
  for (const [, declaration] of roots) if (declaration) addNeeds(declaration);
  return {
    exported: roots.map(([name, declaration]) => titled(name, declaration)),
    inner: inner.toSorted(byName).map(({ text }) => text),
  };
}

function titled(name: string, declaration: Declaration | undefined): string {
  if (!declaration) return `export { ${name} };\n`;
  return declaration.name === name ? declaration.text : `// as ${name}\n${declaration.text}`;
}

function exportsOf({ module }: Source): readonly string[] {
  return module.staticExports
    .flatMap(({ entries }) => entries.flatMap(({ exportName }) => exportName.name ?? []))
    .sort();
}

/** Follows a name through re-exports of our own files to the statement that declares it. */
function exportedAs(file: string, name: string): Declaration | undefined {
  const source = parseSource(file);
  const entries = source.module.staticExports.flatMap(({ entries: all }) => all);
  const entry = entries.find(({ exportName }) => exportName.name === name);
  const from = entry?.moduleRequest?.value;
  if (from === undefined) return lookUp(file, entry?.localName.name ?? name);
  return from.startsWith(".") ? exportedAs(fileOf(file, from), entry?.importName.name ?? name) : undefined;
}

/** A name as seen inside a file: declared there, or imported from another file of ours. */
function lookUp(file: string, name: string): Declaration | undefined {
  const source = parseSource(file);
  const own = source.program.body.find((statement) => declaredName(statement) === name);
  if (own) return { name, file, text: tidy(source, own.start, own.end) };
  const site = source.module.staticImports.find(({ entries }) =>
    entries.some(({ localName }) => localName.value === name),
  );
  if (!site?.moduleRequest.value.startsWith(".")) return undefined;
  const imported = site.entries.find(({ localName }) => localName.value === name)?.importName.name;
  return exportedAs(fileOf(file, site.moduleRequest.value), imported ?? name);
}

function declaredName(statement: Source["program"]["body"][number]): string | undefined {
  const inner = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  if (!inner) return undefined;
  if (inner.type === "VariableDeclaration") {
    const target = inner.declarations[0]?.id;
    return target?.type === "Identifier" ? target.name : undefined;
  }
  return "id" in inner && inner.id?.type === "Identifier" ? inner.id.name : undefined;
}

/** Names of types and values that a declaration refers to. */
function namesIn(text: string): readonly string[] {
  const names = new Set<string>();
  const add = (node: { readonly type: string }) => {
    if (node.type === "Identifier" && "name" in node) names.add(String(node.name));
  };
  visit(parseText("declaration.d.ts", text), {
    TSTypeReference: ({ typeName }) => add(typeName),
    TSTypeQuery: ({ exprName }) => add(exprName),
    TSInterfaceHeritage: ({ expression }) => add(expression),
    TSClassImplements: ({ expression }) => add(expression),
    ClassDeclaration: ({ superClass }) => {
      if (superClass) add(superClass);
    },
  });
  return [...names];
}

/** The statement without comments, so that a reworded comment is no change of the interface. */
function tidy({ text }: Source, start: number, end: number): string {
  const plain = text.slice(start, end).replace(/^[ \t]*\/\*\*[^]*?\*\/\n?|^[ \t]*\/\/.*\n/gm, "");
  return `${plain.replace(/\n\s*\n/g, "\n").trim()}\n`;
}

function changes(known: string, built: string): readonly string[] {
  const before = known.split("\n");
  const after = built.split("\n");
  const lines = [
    ...before.filter((line) => !after.includes(line)).map((line) => `  - ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `  + ${line}`),
  ];
  const rest = lines.length - 20;
  return rest > 0 ? [...lines.slice(0, 20), `  … and ${rest} more lines`] : lines;
}

function fileOf(from: string, specifier: string): string {
  return resolve(dirname(from), specifier.replace(/\.[jt]s$/, ".d.ts"));
}

function keyOf({ file, name }: Declaration): string {
  return `${file}#${name}`;
}

function byName(a: Declaration, b: Declaration): number {
  return a.name < b.name ? -1 : 1;
}
