import { type Clock, errorCode, type Logger, type PeerStream, type Streams } from "@chorus/kernel";
import type { Epoch } from "./epoch.ts";
import { CorruptError, DiskFullError, ProtocolError } from "./errors.ts";
import { type Answer, Intake } from "./intake.ts";
import type { Reply } from "./core/state.ts";
import type { Log } from "./log.ts";
import type { Proposals } from "./proposals.ts";
import type { Reads } from "./reads.ts";
import { encodeRequest, parseResponse, PROTOCOL, type Request, type Response } from "./wire.ts";

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2000;

interface FollowerPorts {
  readonly streams: Streams;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly log: Log<unknown, unknown>;
  readonly proposals: Pick<Proposals<unknown>, "attach" | "detach" | "onCommitted" | "onRejected">;
  readonly reads: Pick<Reads, "attach" | "detach" | "onReadable">;
}

/** A voter's or learner's side: follows the admin of one epoch after the other, and comes back when a stream breaks. */
export class Follower {
  readonly #ports: FollowerPorts;
  #retryMs = FIRST_RETRY_MS;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
  }

  /** @param stopped fires when the ledger closes */
  async run(epoch: () => Epoch, stopped: AbortSignal): Promise<void> {
    const { clock, log, logger } = this.#ports;
    while (!stopped.aborted && log.failure === undefined) {
      const { admin, over } = epoch();
      if (admin === undefined) {
        await fired(over);
        continue;
      }
      try {
        await this.#session(admin, over);
      } catch (error) {
        if (error instanceof DiskFullError) logger.warn("entries could not be kept", { code: error.code });
        else if (!over.aborted)
          logger.debug("stream to the admin ended", {
            peer: admin.peer,
            code: errorCode(error),
            cause: error,
          });
      }
      await clock.sleep(this.#retryMs, { signal: over }).catch(() => undefined);
      this.#retryMs = over.aborted ? FIRST_RETRY_MS : Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    }
  }

  async #session(admin: NonNullable<Epoch["admin"]>, over: AbortSignal): Promise<void> {
    const { streams, log, proposals, reads } = this.#ports;
    const stream = await streams.open(admin.peer, PROTOCOL, { signal: over });
    const abort = (): void => stream.abort(new Error("leadership changed"));
    const intake = new Intake(log, admin.term);
    over.addEventListener("abort", abort);
    try {
      await reply(stream, await log.follow(admin.term));
      for await (const frame of stream.frames) {
        const response = parseResponse(frame);
        if (response.kind === "snapshot") await reply(stream, await intake.offered(response));
        else if (response.kind === "part") await reply(stream, await intake.take(response.number, response));
        else await this.#handle(stream, response, admin.term);
      }
    } finally {
      intake.end();
      over.removeEventListener("abort", abort);
      proposals.detach();
      reads.detach();
      stream.abort(new Error("session ended"));
    }
  }

  async #handle(
    stream: PeerStream,
    response: Exclude<Response, { kind: "snapshot" | "part" }>,
    term: number,
  ): Promise<void> {
    const { log, proposals, reads } = this.#ports;
    switch (response.kind) {
      case "entries":
        if (response.term !== term) throw new ProtocolError("entries of another term");
        await reply(stream, await log.accept(term, response.entries, response.committed));
        this.#retryMs = FIRST_RETRY_MS;
        proposals.attach((id, command) => send(stream, { kind: "propose", id, command }));
        reads.attach((number) => send(stream, { kind: "read", number }));
        return;
      case "rewind":
        await reply(stream, await log.rewind(term));
        return;
      case "diverged":
        throw log.fail(
          new CorruptError("the admin's log does not contain what is committed here", log.applied.index),
        );
      case "committed":
        proposals.onCommitted(response.id, response.index, response.replicas);
        return;
      case "rejected":
        proposals.onRejected(response.id, response.code, response.reason);
        return;
      case "readable":
        reads.onReadable(response.number, response.index);
        return;
      case "refused":
        throw new ProtocolError(`the admin serves nobody now: ${response.code}`);
    }
  }
}

async function reply(stream: PeerStream, replies: readonly (Reply | Answer)[]): Promise<void> {
  for (const one of replies) {
    if (one.kind === "fetch") {
      if ("digest" in one) await send(stream, one);
    } else if (one.kind === "acknowledge") await send(stream, { kind: "ack", index: one.index });
    else {
      const { probe, committed } = one;
      await send(stream, {
        kind: "follow",
        last: probe.index,
        lastChecksum: probe.checksum,
        committed: committed.index,
        committedChecksum: committed.checksum,
      });
    }
  }
}

function send(stream: PeerStream, request: Request): Promise<void> {
  return stream.send(encodeRequest(request));
}

function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
