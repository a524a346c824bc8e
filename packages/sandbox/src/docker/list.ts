import { addAbortSignal, Readable } from "node:stream";
import type { RawEntry } from "../collector.ts";
import { FOLDERS } from "../defaults.ts";
import { CollectFailedError } from "../errors.ts";
import type { serial } from "../serial.ts";
import { readTar, type TarEntry } from "../tar.ts";
import type { Box } from "./box.ts";
import { reasonOf } from "./client.ts";

/** The engine's own archive of the folder, taken in turn and while nothing of the task runs. */
export async function* listFolder(
  box: Box,
  request: {
    readonly from: "output" | "data";
    readonly inTurn: ReturnType<typeof serial>;
    readonly signal: AbortSignal | undefined;
  },
): AsyncGenerator<RawEntry> {
  const done = Promise.withResolvers<void>();
  const turn = Promise.withResolvers<void>();
  void request.inTurn(() => {
    turn.resolve();
    return done.promise;
  });
  try {
    await turn.promise;
    request.signal?.throwIfAborted();
    await calm(box);
    const stream = await box.container.getArchive({ path: FOLDERS[request.from] });
    if (request.signal && stream instanceof Readable) addAbortSignal(request.signal, stream);
    for await (const entry of readTar(bytesOf(stream))) yield rawEntry(entry);
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof CollectFailedError) throw error;
    throw new CollectFailedError(box.lostReason ?? reasonOf(error), error);
  } finally {
    done.resolve();
  }
}

/** A tree that changes while it is read gives an archive that lies. */
async function calm(box: Box): Promise<void> {
  if (box.lostReason !== undefined) throw new CollectFailedError(box.lostReason);
  if (await box.killTask()) return;
  const reason = "what it left running could not be stopped";
  await box.destroy(reason);
  throw new CollectFailedError(reason);
}

const TYPES: Readonly<Record<string, RawEntry["type"]>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "link",
  link: "link",
};

function rawEntry({ header, body }: TarEntry): RawEntry {
  // The engine puts the folder's own name in front.
  const slash = header.name.indexOf("/");
  return {
    name: slash < 0 ? "" : header.name.slice(slash + 1),
    type: TYPES[header.type ?? ""] ?? "special",
    mode: header.mode ?? 0,
    size: header.size ?? 0,
    body,
  };
}

async function* bytesOf(stream: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}
