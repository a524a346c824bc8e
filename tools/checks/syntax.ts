import { readFileSync } from "node:fs";
import { parseSync, Visitor, type EcmaScriptModule, type Program, type VisitorObject } from "oxc-parser";

/** One parsed TypeScript file. TypeScript 7 has no compiler API, so oxc reads it. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly module: EcmaScriptModule;
}

/** One place where a file names another module. */
export interface ImportSite {
  readonly specifier: string;
  readonly line: number;
}

const parsed = new Map<string, Source>();

/** Parses a file once per run. */
export function parseSource(path: string): Source {
  const known = parsed.get(path);
  if (known) return known;
  const source = parseText(path, readFileSync(path, "utf8"));
  parsed.set(path, source);
  return source;
}

/** Parses text that stands in no file of its own. */
export function parseText(path: string, text: string): Source {
  const { program, module, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  return { path, text, program, module };
}

/** Static and dynamic imports, re-exports and `import("…")` types; an import in a comment is none. */
export function importsOf(source: Source): readonly ImportSite[] {
  const sites: ImportSite[] = [];
  const add = (specifier: string, at: number) => {
    sites.push({ specifier, line: lineAt(source, at) });
  };
  for (const { moduleRequest } of source.module.staticImports) add(moduleRequest.value, moduleRequest.start);
  for (const { entries } of source.module.staticExports) {
    const from = entries[0]?.moduleRequest;
    if (from) add(from.value, from.start);
  }
  visit(source, {
    ImportExpression: ({ source: from }) => {
      if (from.type === "Literal" && typeof from.value === "string") add(from.value, from.start);
    },
    TSImportType: ({ source: from }) => add(from.value, from.start),
  });
  return sites;
}

/** The names a module exports, sorted; `*` stands for a re-export of everything. */
export function exportedNames(source: Source): readonly string[] {
  return source.module.staticExports
    .flatMap(({ entries }) => entries)
    .map(({ exportName, moduleRequest }) => exportName.name ?? (moduleRequest ? "*" : "default"))
    .sort();
}

export function visit(source: Source, visitor: VisitorObject): void {
  new Visitor(visitor).visit(source.program);
}

/** 1 for the first line. */
export function lineAt({ text }: Source, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
