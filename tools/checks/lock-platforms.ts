import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exceptions } from "./exceptions.ts";

const WANTED = ["linux-x64", "linux-arm64", "darwin-arm64", "win32-x64"];

/**
 * pnpm leaves an optional native package that the registry does not have out of the lockfile without a word;
 * whoever installs on that platform then gets the tool without its binary.
 */
export function checkLockPlatforms(root: string): readonly string[] {
  const families = familiesOf(readFileSync(join(root, "pnpm-lock.yaml"), "utf8"));
  const lacking = [...families].flatMap(([family, platforms]) => {
    const missing = WANTED.filter((platform) => !platforms.has(platform));
    return missing.length === 0 || isExcused(family) || !platforms.has("linux-x64")
      ? []
      : [`pnpm-lock.yaml: ${family} lacks ${missing.join(", ")}: choose a version that has them`];
  });
  const unused = [...exceptions.platforms.keys()].filter(
    (name) => ![...families.keys()].some((family) => nameOf(family) === name),
  );
  return [
    ...lacking,
    ...unused.map(
      (name) => `tools/checks/exceptions.ts: platforms excuses ${name}, which is not in the lockfile`,
    ),
  ];
}

/** `name@version` → the platforms it has a package for. */
function familiesOf(lock: string): ReadonlyMap<string, ReadonlySet<string>> {
  const families = new Map<string, Set<string>>();
  for (const [, name = "", version] of lock.matchAll(/^ {2}'?(@?[^\s'@]+)@(\d[^\s':(]*)'?:$/gm)) {
    const parts = /^(.*?)[-./](linux|darwin|win32|android|freebsd)-(x64|arm64)(-gnu|-msvc)?$/.exec(name);
    if (!parts) continue;
    const family = `${parts[1]}@${version}`;
    families.set(family, (families.get(family) ?? new Set()).add(`${parts[2]}-${parts[3]}`));
  }
  return families;
}

function isExcused(family: string): boolean {
  return exceptions.platforms.has(nameOf(family));
}

function nameOf(family: string): string {
  return family.slice(0, family.lastIndexOf("@"));
}
