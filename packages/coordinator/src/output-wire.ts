import { decodeCanonical, encodeCanonical, type PeerStream } from "@chorus/kernel";
import { z } from "zod";
import type { TaskId } from "./contract-task.ts";
import type { OutputLog, OutputPiece } from "./output-log.ts";
import { isTaskId } from "./task-id.ts";

/** Bytes in one frame; kernel's frames are small so that streams share a connection fairly. */
const FRAME_BYTES = 16_384;
const MAX_FRAME_BYTES = 65_536;

/** Which output is wanted, and from where on. */
export interface OutputRequest {
  readonly task: TaskId;
  readonly attempt: number;
  readonly offset: number;
}

const count = z.int().min(0);
const requestSchema = z.strictObject({ task: z.custom<TaskId>(isTaskId), attempt: count, offset: count });
const answerSchema = z.union([
  z.strictObject({
    offset: count,
    stream: z.enum(["stdout", "stderr"]),
    bytes: z.instanceof(Uint8Array),
  }),
  z.strictObject({ end: z.enum(["complete", "unknown"]) }),
]);

/** Answers one reader: pieces as they come, then how it ended. */
export async function serveOutput(
  stream: PeerStream,
  logOf: (request: OutputRequest) => OutputLog | undefined,
  signal: AbortSignal,
): Promise<void> {
  const request = await readRequest(stream);
  const log = request === undefined ? undefined : logOf(request);
  if (request !== undefined && log !== undefined)
    for await (const piece of log.read(request.offset, signal)) await sendPiece(stream, piece);
  await stream.send(encodeCanonical({ end: log === undefined ? "unknown" : "complete" }));
  await stream.close();
}

/** Reads another peer's log. Without `complete` at the end, that peer does not have it. Throws when the stream breaks. */
export async function* fetchOutput(
  stream: PeerStream,
  request: OutputRequest,
): AsyncGenerator<OutputPiece | "complete"> {
  const { task, attempt, offset } = request;
  await stream.send(encodeCanonical({ task, attempt, offset }));
  for await (const frame of stream.frames) {
    const answer = answerSchema.parse(decodeCanonical(frame, { maxBytes: MAX_FRAME_BYTES }));
    if (!("end" in answer)) yield answer;
    else if (answer.end === "complete") yield "complete";
    else return;
  }
}

async function readRequest(stream: PeerStream): Promise<OutputRequest | undefined> {
  for await (const frame of stream.frames)
    return requestSchema.parse(decodeCanonical(frame, { maxBytes: MAX_FRAME_BYTES }));
  return undefined;
}

async function sendPiece(stream: PeerStream, { offset, stream: name, bytes }: OutputPiece): Promise<void> {
  for (let at = 0; at < bytes.length; at += FRAME_BYTES)
    await stream.send(
      encodeCanonical({ offset: offset + at, stream: name, bytes: bytes.slice(at, at + FRAME_BYTES) }),
    );
}
