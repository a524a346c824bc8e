const MAX_PATH = 4096;
const MAX_PART = 255;
/** Control and bidirectional characters, and what replaces undecodable bytes: a name with these lies. */
// oxlint-disable-next-line eslint/no-control-regex -- control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd\\]/u;
const SHOWN = 120;

/** The parts of an archive entry's name; empty for the root; undefined for a name that leads out or lies. */
export function partsOfName(name: string): string[] | undefined {
  if (name.startsWith("/") || UNSAFE.test(name) || Buffer.byteLength(name) > MAX_PATH) return undefined;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  return parts.some((part) => part === ".." || Buffer.byteLength(part) > MAX_PART) ? undefined : parts;
}

/** Whether a symbolic link at `path` stays in the folder. */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || UNSAFE.test(target)) return false;
  let depth = path.split("/").length - 1;
  for (const part of target.split("/")) {
    if (part === "..") depth -= 1;
    else if (part !== "" && part !== ".") depth += 1;
    if (depth < 0) return false;
  }
  return true;
}

/** A name as it can be shown, whatever it holds. */
export function showName(name: string): string {
  return JSON.stringify(name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name);
}
