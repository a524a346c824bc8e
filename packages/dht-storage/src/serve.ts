import { errorCode, type PeerStream } from "@chorus/kernel";
import { channel, type Channel } from "./channel.ts";
import { report, type Parts } from "./parts.ts";
import { refusal, takeBlob, takeHead } from "./take-in.ts";
import type { Frame, Message } from "./wire.ts";

/** Answers one peer until it closes. A peer that breaks the protocol is reported and loses its stream. */
export async function serve(parts: Parts, stream: PeerStream): Promise<void> {
  const { clock, peerTimeoutMs: timeoutMs, lifetime: signal, copies } = parts;
  const talk = channel(stream, { clock, timeoutMs, signal });
  try {
    for (;;) {
      const frame = await talk.next();
      if (frame === undefined) break;
      copies.met(stream.peer);
      await answer(parts, talk, frame);
    }
    await stream.close();
  } catch (error) {
    if (errorCode(error) === "dht-storage/refused") report(parts, stream.peer, { problem: String(error) });
    stream.abort(error instanceof Error ? error : new Error("conversation failed", { cause: error }));
  }
}

async function answer(parts: Parts, talk: Channel, frame: Frame): Promise<void> {
  const kind = frame instanceof Uint8Array ? "block" : frame.t;
  if (!(frame instanceof Uint8Array) && isRequest(frame)) return answerRequest(parts, talk, frame);
  report(parts, talk.peer, { problem: "the message is out of turn", kind });
  return talk.send(refusal("refused"));
}

type Request = Extract<Message, { t: "have" | "want" | "put" | "head" | "put-head" }>;

function isRequest(message: Message): message is Request {
  return ["have", "want", "put", "head", "put-head"].includes(message.t);
}

async function answerRequest(parts: Parts, talk: Channel, request: Request): Promise<void> {
  switch (request.t) {
    case "have": {
      const held = parts.envelopes.held(request.addr);
      return talk.send({ t: "held", envelopes: held.map(({ bytes }) => bytes) });
    }
    case "want":
      return sendBlocks(parts, talk, request.hashes);
    case "put":
      return talk.send(await takeBlob(parts, talk, request.envelope));
    case "head": {
      const known = await parts.heads.highest(request.lane);
      return talk.send({ t: "heads", heads: known.map(({ bytes }) => bytes) });
    }
    case "put-head":
      return talk.send(await takeHead(parts, talk.peer, request.head));
  }
}

/** Answers in order and stops at the first block that is not here. */
async function sendBlocks(parts: Parts, talk: Channel, hashes: readonly Uint8Array[]): Promise<void> {
  for (const hash of hashes) {
    const bytes = await parts.blocks.read(Buffer.from(hash).toString("hex"));
    await talk.send(bytes ?? { t: "gone" });
    if (bytes === undefined) return;
  }
}
