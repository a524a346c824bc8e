import { existsSync } from "node:fs";
import { join } from "node:path";
import { readText, shortName, type Manifest, type Package, type Workspace } from "./workspace.ts";

type Conditions = Readonly<Record<string, string>>;

/** Subpaths a library may have beside ".": more is a second package. */
const SUBPATHS = [".", "./testing", "./browser"];
const FILES = ["dist", "src", "!**/*.tsbuildinfo"];

/** Every package.json has the one shape that publishes right. */
export function checkManifests({ packages }: Workspace): readonly string[] {
  return packages.flatMap((found) => {
    const wrong = found.kind === "packages" ? libraryProblems(found) : applicationProblems(found);
    return [...commonProblems(found), ...wrong].map((problem) => `${found.dir}/package.json: ${problem}`);
  });
}

function commonProblems({ path, manifest }: Package): readonly string[] {
  const expected: readonly (readonly [string, boolean])[] = [
    ['name starts with "@chorus/"', manifest.name.startsWith("@chorus/")],
    ["version is semver", /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(manifest.version ?? "")],
    ["description is one line of text", /^.{10,}$/.test(manifest.description ?? "")],
    ['license is "Apache-2.0"', manifest.license === "Apache-2.0"],
    ['type is "module"', manifest.type === "module"],
    ['engines.node is ">=24"', manifest.engines?.["node"] === ">=24"],
    [`files holds ${FILES.join(", ")}`, FILES.every((file) => manifest.files?.includes(file))],
    ['publishConfig.access is "public"', manifest.publishConfig?.access === "public"],
    // With an `extends` that does not resolve, oxlint goes blind to cycles and says nothing.
    ["tsconfig.json extends ../../tsconfig.check.json", extendsBase(path, "tsconfig.json", "check")],
    [
      "tsconfig.build.json extends ../../tsconfig.build.json",
      extendsBase(path, "tsconfig.build.json", "build"),
    ],
    ["tsup.config.ts stands beside it", existsSync(join(path, "tsup.config.ts"))],
    ["it has no scripts: tools/nx-targets.mjs gives every package its targets", !("scripts" in manifest)],
  ];
  return [...unmet(expected), ...rangeProblems(manifest)];
}

function libraryProblems(found: Package): readonly string[] {
  const { dir, path, manifest } = found;
  const paths = Object.keys(manifest.exports ?? {});
  const published = manifest.publishConfig?.exports ?? {};
  const testing = existsSync(join(path, "src/testing/index.ts"));
  return [
    ...unmet([
      ["the folder has the package's name", dir === `packages/${shortName(found)}`],
      ["sideEffects is false", manifest.sideEffects === false],
      ['exports has "."', paths.includes(".")],
      [`exports has nothing but ${SUBPATHS.join(", ")}`, paths.every((name) => SUBPATHS.includes(name))],
      [
        'exports has "./testing" exactly when src/testing/index.ts exists',
        paths.includes("./testing") === testing,
      ],
      ["publishConfig.exports has the same paths", String(Object.keys(published)) === String(paths)],
    ]),
    ...paths.flatMap((name) => exportProblems(name, manifest.exports?.[name] ?? {}, published[name] ?? {})),
  ];
}

/** Order matters: the first condition that fits wins. */
function exportProblems(name: string, conditions: Conditions, published: Conditions): readonly string[] {
  const base = name === "." ? "index" : `${name.slice(2)}/index`;
  const dist = { types: `./dist/${base}.d.ts`, default: `./dist/${base}.js` };
  const source = { "@chorus/source": `./src/${base}.ts`, ...dist };
  return unmet([
    [
      `exports["${name}"] is ${JSON.stringify(source)}`,
      JSON.stringify(conditions) === JSON.stringify(source),
    ],
    [
      `publishConfig.exports["${name}"] is ${JSON.stringify(dist)}`,
      JSON.stringify(published) === JSON.stringify(dist),
    ],
  ]);
}

function applicationProblems({ path, manifest }: Package): readonly string[] {
  const commands = Object.keys(manifest.bin ?? {});
  const published = manifest.publishConfig?.bin ?? {};
  return unmet([
    ["bin names one command", commands.length === 1],
    ['bin points to "./src/main.ts"', commands.every((name) => manifest.bin?.[name] === "./src/main.ts")],
    [
      'publishConfig.bin points to "./dist/main.js"',
      commands.every((name) => published[name] === "./dist/main.js"),
    ],
    ["src/main.ts exists", existsSync(join(path, "src/main.ts"))],
  ]);
}

function extendsBase(path: string, file: string, base: "check" | "build"): boolean {
  return readText(path, file)?.includes(`"extends": "../../tsconfig.${base}.json"`) ?? false;
}

function rangeProblems({ dependencies, peerDependencies, devDependencies }: Manifest): readonly string[] {
  return Object.entries({ ...dependencies, ...peerDependencies, ...devDependencies })
    .filter(([name, range]) => name.startsWith("@chorus/") && range !== "workspace:^")
    .map(([name, range]) => `${name} must be "workspace:^", not "${range}"`);
}

function unmet(expected: readonly (readonly [string, boolean])[]): readonly string[] {
  return expected.filter(([, met]) => !met).map(([rule]) => `expected: ${rule}`);
}
