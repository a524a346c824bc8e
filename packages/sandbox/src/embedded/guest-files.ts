import type * as JustBash from "just-bash";

/** The folder that commands may only read. */
export const INPUT = "/workspace/input";

/** Files in memory; while sealed, /workspace/input cannot be changed under whatever name it is reached. */
export type GuestFiles = JustBash.InMemoryFs & { seal(sealed: boolean): void };

/** Every way to change files, with the positions of the paths that it changes. */
const WRITES: Readonly<Record<string, readonly number[]>> = {
  writeFile: [0],
  appendFile: [0],
  mkdir: [0],
  rm: [0],
  cp: [1],
  mv: [0, 1],
  chmod: [0],
  symlink: [1],
  link: [0, 1],
  utimes: [0],
};

/** @param maxTotalBytes bound of all contents together, kept by the library while commands run */
export function guestFiles({ InMemoryFs }: typeof JustBash, maxTotalBytes: number): GuestFiles {
  let sealed = false;
  const fs = new InMemoryFs({}, { maxTotalBytes });
  for (const [name, positions] of Object.entries(WRITES)) {
    const original: unknown = Reflect.get(fs, name);
    if (typeof original !== "function") throw new TypeError(`the interpreter's files have no ${name}`);
    const guarded = async (...args: readonly unknown[]): Promise<unknown> => {
      if (sealed) for (const at of positions) await refuseInput(fs, { name, path: String(args[at]) });
      return Reflect.apply(original, fs, args);
    };
    Reflect.set(fs, name, guarded);
  }
  return Object.assign(fs, {
    seal: (value: boolean): void => {
      sealed = value;
    },
  });
}

async function refuseInput(
  fs: JustBash.InMemoryFs,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<void> {
  // Making a folder that is there already changes nothing.
  if (name === "mkdir" && (await fs.exists(path))) return;
  const slash = path.lastIndexOf("/");
  const folder = path.slice(0, slash) || "/";
  const parent = await fs.realpath(folder).catch(() => folder);
  const full = await fs.realpath(path).catch(() => path);
  const named = `${parent === "/" ? "" : parent}/${path.slice(slash + 1)}`;
  if ([path, full, named].some((one) => one === INPUT || one.startsWith(`${INPUT}/`)))
    throw new Error(`EROFS: read-only file system, '${path}'`);
  if ((name === "rm" || name === "mv") && `${INPUT}/`.startsWith(`${full.replace(/\/$/, "")}/`))
    throw new Error(`EBUSY: resource busy or locked, '${path}'`);
}
