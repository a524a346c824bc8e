import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface NewPackage {
  /** Kebab-case, without the scope. */
  readonly name: string;
  readonly layer: "domain" | "node";
  /** One sentence without its full stop. */
  readonly description: string;
}

const TEMPLATE = join(import.meta.dirname, "template");

/**
 * The files of a new package, by their path inside it. The template is itself a package, called
 * paper-lantern, so that it is linted, formatted and type-checked like every other source.
 */
export function renderPackage(wanted: NewPackage): ReadonlyMap<string, string> {
  const sources = globSync("**/*.{md,ts}", { cwd: TEMPLATE })
    .sort()
    .map(
      (file) => [renamed(file, wanted), renamed(readFileSync(join(TEMPLATE, file), "utf8"), wanted)] as const,
    );
  return new Map([
    ["package.json", json(manifest(wanted))],
    ["tsconfig.json", json({ extends: "../../tsconfig.check.json" })],
    [
      "tsconfig.build.json",
      json({
        extends: "../../tsconfig.build.json",
        compilerOptions: { rootDir: "src", outDir: "dist", tsBuildInfoFile: "dist/types.tsbuildinfo" },
        include: ["src"],
      }),
    ],
    ["tsup.config.ts", 'export { default } from "../../tools/tsup.base.ts";\n'],
    ...sources,
  ]);
}

/** The root package.json with the new package among the development dependencies: tools and samples use it. */
export function withDependency(rootManifest: string, { name }: NewPackage): string {
  const manifest: { devDependencies: Record<string, string> } = JSON.parse(rootManifest);
  const all = Object.entries({ ...manifest.devDependencies, [`@chorus/${name}`]: "workspace:^" });
  const devDependencies = Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return json({ ...manifest, devDependencies });
}

/** The root README with a row for the new package below the last row that links to one. */
export function withRow(readme: string, { name, description }: NewPackage): string {
  const lines = readme.split("\n");
  const last = lines.findLastIndex((line) => line.startsWith("|") && line.includes("](packages/"));
  if (last < 0) return readme;
  const columns = (lines[last] ?? "").split("|").length - 2;
  const cells = [`[${name}](packages/${name}/README.md)`, description, ...Array<string>(columns).fill("–")];
  return lines.toSpliced(last + 1, 0, `| ${cells.slice(0, columns).join(" | ")} |`).join("\n");
}

/** A first changeset: what is new for users is said where it is made. */
export function changeset({ name, description }: NewPackage): string {
  return `---\n"@chorus/${name}": minor\n---\n\nFirst version: ${description}.\n`;
}

function manifest({ name, layer, description }: NewPackage): unknown {
  const dist = { types: "./dist/index.d.ts", default: "./dist/index.js" };
  return {
    name: `@chorus/${name}`,
    version: "0.0.0",
    description,
    license: "Apache-2.0",
    type: "module",
    sideEffects: false,
    engines: { node: ">=24" },
    files: ["dist", "src", "!**/*.tsbuildinfo"],
    exports: { ".": { "@chorus/source": "./src/index.ts", ...dist } },
    publishConfig: { access: "public", exports: { ".": dist } },
    dependencies: { "@chorus/kernel": "workspace:^" },
    nx: { tags: [`layer:${layer}`] },
  };
}

function renamed(text: string, { name, description }: NewPackage): string {
  const camel = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const pascal = camel.charAt(0).toUpperCase() + camel.slice(1);
  return text
    .replaceAll("paper-lantern", name)
    .replaceAll("paperLantern", camel)
    .replaceAll("PaperLantern", pascal)
    .replaceAll("DESCRIPTION", description);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
