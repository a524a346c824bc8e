import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { renderPackage } from "../../new-package/render.ts";
import { readWorkspace, type Workspace } from "../workspace.ts";

export interface TestWorkspace extends Disposable {
  readonly workspace: Workspace;
}

/**
 * A workspace of two domain packages, alpha and beta, as the generator makes them, with the given files
 * written over it. The root has the tools that tests may import.
 */
export function setup(files: Readonly<Record<string, string>> = {}): TestWorkspace {
  const root = mkdtempSync(join(tmpdir(), "checks-"));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  write(
    "package.json",
    JSON.stringify({
      name: "root",
      type: "module",
      devDependencies: { vitest: "5", "@chorus/beta": "workspace:^" },
    }),
  );
  for (const name of ["alpha", "beta"]) {
    const made = renderPackage({ name, layer: "domain", description: `What ${name} is for` });
    for (const [file, text] of made) write(`packages/${name}/${file}`, text);
  }
  for (const [file, text] of Object.entries(files)) write(file, text);
  return {
    workspace: readWorkspace(root),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A generated file with one passage replaced; the passage has to be there. */
export function edited(file: string, from: string | RegExp, to: string): string {
  const [, name = "", inner = ""] = /^packages\/([^/]+)\/(.*)$/.exec(file) ?? [];
  const text = renderPackage({ name, layer: "domain", description: `What ${name} is for` }).get(inner) ?? "";
  const result = text.replace(from, to);
  if (result === text) throw new Error(`${file} holds no ${from}`);
  return result;
}

/** The package.json of a generated package with some fields changed. */
export function manifest(name: string, change: Readonly<Record<string, unknown>>): string {
  const text = renderPackage({ name, layer: "domain", description: `What ${name} is for` }).get(
    "package.json",
  );
  return JSON.stringify({ ...JSON.parse(text ?? "{}"), ...change });
}
