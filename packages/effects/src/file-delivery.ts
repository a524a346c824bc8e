import { createHash, randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { link, open, readdir, realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { errorCode } from "@chorus/kernel";
import { checkEffect, checkPayload } from "./check-effect.ts";
import type { Effect, Effector, FileDeliveryOptions, OnStep, Receipt, Resolution } from "./contract.ts";
import {
  InvalidEffectError,
  RefusedByTargetError,
  TargetNotAllowedError,
  UnansweredError,
} from "./errors.ts";
import { parseUrl } from "./url-rule.ts";

const KIND = "file-delivery";
const DEFAULTS = { maxPayloadBytes: 268_435_456, onStep: () => undefined };

/** Our unfinished files; no target may look like one. */
const PREFIX = ".chorus-effect-";

interface Place {
  readonly folder: string;
  readonly file: string;
}

/**
 * Delivers files: target `file:///folder/name`. A file appears under its name whole and on disk, or not at all, and
 * never in place of another one. It has to stay there until the task's receipt is ordered: its digest is the evidence.
 */
export function fileDelivery(options: FileDeliveryOptions): Effector {
  const { bases, maxPayloadBytes, onStep } = { ...DEFAULTS, ...options };
  const wrong = bases.findIndex((base) => !isAbsolute(base));
  if (wrong >= 0) throw new InvalidEffectError(`bases[${wrong}]`, "must be absolute");

  async function find(effect: Effect): Promise<Place> {
    const path = checked(effect);
    const folder = await realpath(dirname(path)).catch((error: unknown) => {
      throw errorCode(error) === "ENOENT" ? new RefusedByTargetError("the folder is not there") : error;
    });
    const roots = await Promise.all(bases.map((base) => realpath(base).catch(() => undefined)));
    if (!roots.some((root) => root !== undefined && isWithin(root, folder)))
      throw new TargetNotAllowedError("target", "is in none of this agent's folders for deliveries");
    return { folder, file: join(folder, basename(path)) };
  }

  function checked(effect: Effect): string {
    checkEffect(effect, KIND, []);
    const path = pathOf(effect.target);
    if (bases.some((base) => isWithin(base, dirname(path)))) return path;
    throw new TargetNotAllowedError("target", "is in none of this agent's folders for deliveries");
  }

  return {
    kind: KIND,
    check: (effect) => void checked(effect),
    async resolve(effect, { signal }) {
      signal.throwIfAborted();
      const { file } = await find(effect);
      return resolutionOf(effect, await digestOfFile(file, signal));
    },
    async act(effect, payload, { signal }) {
      signal.throwIfAborted();
      checkPayload(effect, payload, maxPayloadBytes);
      const { folder, file } = await find(effect);
      const before = resolutionOf(effect, await digestOfFile(file, signal));
      if (before.status === "done") return before.receipt;
      await using draft = await drafted(folder, { key: effect.key, payload, onStep });
      signal.throwIfAborted();
      await onStep("publish");
      const refusal = await publish(draft.path, file);
      await onStep("published");
      await flushFolder(folder);
      const after = resolutionOf(effect, await digestOfFile(file, signal));
      if (after.status === "done") return after.receipt;
      if (refusal === "taken") throw new RefusedByTargetError("the name is taken by another file");
      throw new UnansweredError("the file is no longer under its name");
    },
  };
}

function pathOf(target: string): string {
  const url = parseUrl(target, "target", ["file:"]);
  if (url.host !== "" || url.search !== "")
    throw new InvalidEffectError("target", "must be file:///folder/name");
  const path = fileURLToPath(url);
  const name = basename(path);
  // oxlint-disable-next-line eslint/no-control-regex -- names that terminals obey are refused
  if (path.endsWith("/") || name === "" || name.startsWith(PREFIX) || /[\x00-\x1f\x7f]/.test(path))
    throw new InvalidEffectError("target", "must end in a file's name");
  return path;
}

function isWithin(base: string, folder: string): boolean {
  const way = relative(base, folder);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

/** The whole content on disk under a name that nobody reads; gone when disposed of. */
async function drafted(
  folder: string,
  draft: { readonly key: string; readonly payload: Uint8Array; readonly onStep: OnStep },
): Promise<AsyncDisposable & { readonly path: string }> {
  const mark = `${PREFIX}${draft.key}.`;
  const path = join(folder, `${mark}${randomBytes(8).toString("hex")}`);
  await draft.onStep("write");
  const handle = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o644);
  try {
    await handle.writeFile(draft.payload);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return {
    path,
    // Those of predecessors that were killed go as well; one that only stood still then has nothing to publish.
    async [Symbol.asyncDispose]() {
      const left = (await readdir(folder)).filter((name) => name.startsWith(mark));
      await Promise.all(left.map((name) => rm(join(folder, name), { force: true })));
    },
  };
}

/** `link` fails where `rename` would replace. @returns why the name was not given, undefined when it was */
async function publish(draft: string, file: string): Promise<"taken" | "draft-gone" | undefined> {
  try {
    await link(draft, file);
    return undefined;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return "taken";
    // Another one that acts for the same effect has delivered and cleared up.
    if (errorCode(error) === "ENOENT") return "draft-gone";
    throw error;
  }
}

function resolutionOf({ digest, earlier }: Effect, found: string | undefined): Resolution {
  // A name that another file has taken cannot become ours later: creation is exclusive.
  if (found === undefined || ![digest, ...earlier].includes(found)) return { status: "absent" };
  return { status: "done", receipt: receiptOf(found) };
}

function receiptOf(digest: string): Receipt {
  return { reference: `sha256:${digest}` };
}

async function digestOfFile(file: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    if (!(await stat(file)).isFile()) return "";
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(file, { signal })) hash.update(chunk);
    return hash.digest("hex");
  } catch (error) {
    signal.throwIfAborted();
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A name is on disk when its folder is. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
