import { dirname, join, relative, resolve } from "node:path";
import { isBuiltin } from "node:module";
import { exceptions } from "./exceptions.ts";
import { importsOf, lineAt, parseSource, visit } from "./syntax.ts";
import { runtimeDependencies, shortName, sourcesOf, type Package, type Workspace } from "./workspace.ts";

/** From the floor up. A package depends on lower floors only. */
const LAYERS = ["kernel", "domain", "node", "app"];

/** Libraries that one package hides from all others; "app" stands for every application. */
const OWNERS: readonly { readonly library: RegExp; readonly owners: readonly string[] }[] = [
  { library: /^(libp2p|@libp2p\/.+|@chainsafe\/libp2p-.+|@multiformats\/multiaddr)$/, owners: ["p2p"] },
  { library: /^dockerode$/, owners: ["sandbox"] },
  { library: /^age-encryption$/, owners: ["dht-storage"] },
  { library: /^hypercore$/, owners: ["event-log-hypercore"] },
  { library: /^hono$/, owners: ["api", "ucxi", "app"] },
];

/**
 * Who may know whom: kernel ← domain ← node ← app, siblings never. Reads tags and dependencies of every
 * package.json and the imports of every source file.
 */
export function checkLayers(workspace: Workspace): readonly string[] {
  const layers = new Map(workspace.packages.map((found) => [found.manifest.name, layerOf(found)]));
  return workspace.packages.flatMap((found) => [
    ...tagProblems(found),
    ...edgeProblems(found, layers),
    ...ownerProblems(found),
    ...importProblems(found, workspace),
  ]);
}

function tagProblems(found: Package): readonly string[] {
  const layer = layerOf(found);
  const isApp = layer === "app";
  if (layer === undefined)
    return [
      `${found.dir}/package.json: nx.tags needs exactly one of ${LAYERS.map((l) => `layer:${l}`).join(", ")}`,
    ];
  if (isApp !== (found.kind === "apps"))
    return [`${found.dir}/package.json: layer:${layer} does not belong under ${found.kind}/`];
  return [];
}

function edgeProblems(found: Package, layers: ReadonlyMap<string, string | undefined>): readonly string[] {
  const own = layerOf(found) ?? "kernel";
  return runtimeDependencies(found).flatMap((name) => {
    const layer = layers.get(name);
    if (layer === undefined || LAYERS.indexOf(layer) < LAYERS.indexOf(own)) return [];
    if (exceptions.layerEdges.has(`${found.manifest.name} → ${name}`)) return [];
    const direction = layer === own ? "sideways" : "upwards";
    return [
      `${found.dir}/package.json: ${own} depends ${direction} on ${name} (${layer}); declare a port instead`,
    ];
  });
}

function ownerProblems(found: Package): readonly string[] {
  const names = [shortName(found), layerOf(found)];
  return runtimeDependencies(found).flatMap((library) => {
    const rule = OWNERS.find((owner) => owner.library.test(library));
    if (!rule || rule.owners.some((owner) => names.includes(owner))) return [];
    return [`${found.dir}/package.json: ${library} belongs to ${rule.owners.join(", ")} alone`];
  });
}

function importProblems(found: Package, workspace: Workspace): readonly string[] {
  const own = runtimeDependencies(found);
  const self = found.manifest.name;
  const everywhere = Object.keys(workspace.manifest.devDependencies ?? {});
  const inTests = [...own, self, ...Object.keys(found.manifest.devDependencies ?? {}), ...everywhere];
  return [
    ...sourcesOf(found, "src").flatMap((file) => [
      ...importProblemsOf(found, file, own),
      ...castProblems(found, file),
      ...browserProblems(found, file),
    ]),
    ...sourcesOf(found, "test").flatMap((file) => importProblemsOf(found, file, inTests)),
    ...sourcesOf(found, "bench").flatMap((file) => importProblemsOf(found, file, inTests)),
  ];
}

function importProblemsOf(found: Package, file: string, allowed: readonly string[]): readonly string[] {
  const path = join(found.path, file);
  return importsOf(parseSource(path)).flatMap(({ specifier, line }) => {
    const problem = specifier.startsWith(".")
      ? escapes(found, path, specifier)
      : undeclared(specifier, allowed);
    return problem === undefined ? [] : [`${found.dir}/${file}:${line}: ${problem}`];
  });
}

function escapes(found: Package, path: string, specifier: string): string | undefined {
  const target = relative(found.path, resolve(dirname(path), specifier));
  return target.startsWith("..") ? `"${specifier}" leaves the package` : undefined;
}

function undeclared(specifier: string, allowed: readonly string[]): string | undefined {
  if (isBuiltin(specifier)) return undefined;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return allowed.includes(name) ? undefined : `"${specifier}" is not declared in package.json`;
}

/** `Clean<T>` says that text was scanned for secrets; whoever casts to it skips the scan. */
function castProblems(found: Package, file: string): readonly string[] {
  const isExcused = exceptions.cleanMakers.has(`${found.manifest.name} → ${file}`);
  if (shortName(found) === "shhh" || isExcused) return [];
  const source = parseSource(join(found.path, file));
  const problems: string[] = [];
  visit(source, {
    TSAsExpression: ({ typeAnnotation, start }) => {
      if (/\bClean\b/.test(source.text.slice(typeAnnotation.start, typeAnnotation.end)))
        problems.push(`${found.dir}/${file}:${lineAt(source, start)}: only @chorus/shhh makes a Clean value`);
    },
  });
  return problems;
}

function browserProblems(found: Package, file: string): readonly string[] {
  if (layerOf(found) !== "kernel") return [];
  return importsOf(parseSource(join(found.path, file)))
    .filter(({ specifier }) => isBuiltin(specifier))
    .map(
      ({ specifier, line }) =>
        `${found.dir}/${file}:${line}: "${specifier}" is Node's; the kernel runs in browsers too`,
    );
}

function layerOf({ manifest }: Package): string | undefined {
  const tags = (manifest.nx?.tags ?? []).filter((tag) => tag.startsWith("layer:")).map((tag) => tag.slice(6));
  const [layer] = tags;
  return tags.length === 1 && layer !== undefined && LAYERS.includes(layer) ? layer : undefined;
}
