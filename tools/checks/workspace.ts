import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The parts of a package.json that the checks read. */
export interface Manifest {
  readonly name: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly publishConfig?: {
    readonly access?: string;
    readonly bin?: Readonly<Record<string, string>>;
    readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

/** One folder of `packages/` or `apps/`. */
export interface Package {
  /** Relative to the root: `packages/kernel`. */
  readonly dir: string;
  readonly path: string;
  readonly kind: "packages" | "apps";
  readonly manifest: Manifest;
}

export interface Workspace {
  readonly root: string;
  readonly manifest: Manifest;
  readonly packages: readonly Package[];
}

/** Reads every package.json under `packages/` and `apps/`; folders without one are not packages. */
export function readWorkspace(root: string): Workspace {
  const packages = (["packages", "apps"] as const).flatMap((kind) =>
    foldersOf(join(root, kind))
      .map((name) => ({ dir: `${kind}/${name}`, path: join(root, kind, name), kind }))
      .filter(({ path }) => existsSync(join(path, "package.json")))
      .map((found) => ({ ...found, manifest: readManifest(found.path) })),
  );
  return { root, manifest: readManifest(root), packages };
}

/** The tail of the package's name: `kernel` for `@chorus/kernel`. */
export function shortName({ manifest }: Package): string {
  return manifest.name.split("/").at(-1) ?? "";
}

/** What the package's published code may import. */
export function runtimeDependencies({ manifest }: Package): readonly string[] {
  const { dependencies, peerDependencies, optionalDependencies } = manifest;
  return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
}

/** TypeScript files below `folder` of the package, relative to the package, sorted. Fixtures are data. */
export function sourcesOf({ path }: Package, folder: "src" | "test" | "bench"): readonly string[] {
  return globSync(`${folder}/**/*.{ts,tsx}`, { cwd: path }).sort();
}

/** The file's text, or undefined where there is none. */
export function readText(...parts: readonly string[]): string | undefined {
  const file = join(...parts);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

function foldersOf(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

function readManifest(path: string): Manifest {
  const manifest: Manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  return manifest;
}
