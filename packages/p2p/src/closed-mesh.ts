import type { Clock, Logger, PeerId } from "@chorus/kernel";
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
} from "@libp2p/interface";
import { byteStream } from "@libp2p/utils";
import { JoinRefusedError } from "./errors.ts";
import { proveMembership } from "./join-proof.ts";
import { asPeerId } from "./peer-ids.ts";

/** What the gate needs to judge a fresh connection. */
export interface Gate {
  readonly key: Uint8Array;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Secure = (connection: MessageStream, options?: SecureConnectionOptions) => Promise<SecuredConnection>;

/** Takes milliseconds, seconds on a crowded machine; a stranger may not hold a connection open for longer. */
const JOIN_DEADLINE_MS = 8_000;
const MAX_REFUSED = 64;

/**
 * Wraps an encrypter so that its handshake counts only once both sides have proved membership inside the
 * secured channel. libp2p starts the muxer after the encrypter returns, so no protocol runs before.
 */
export function gated(encrypter: ConnectionEncrypter, gate: Gate): ConnectionEncrypter {
  const refused = new Set<PeerId>();
  const behind =
    (secure: Secure, initiator: boolean): Secure =>
    async (connection, options) =>
      join(await secure(connection, options), { gate, refused, initiator, signal: options?.signal });
  return {
    protocol: encrypter.protocol,
    secureInbound: behind(encrypter.secureInbound.bind(encrypter), false),
    secureOutbound: behind(encrypter.secureOutbound.bind(encrypter), true),
  };
}

interface JoinContext {
  readonly gate: Gate;
  readonly refused: Set<PeerId>;
  readonly initiator: boolean;
  readonly signal: AbortSignal | undefined;
}

async function join(secured: SecuredConnection, context: JoinContext): Promise<SecuredConnection> {
  const { gate, initiator } = context;
  const remote = asPeerId(secured.remotePeer);
  const done = new AbortController();
  try {
    if (remote === undefined) throw new JoinRefusedError("the other side has no Ed25519 key");
    const signal = deadline(context, done.signal);
    const bytes = byteStream(secured.connection);
    const channel = {
      read: async (length: number) => (await bytes.read({ bytes: length, signal })).subarray(),
      write: async (data: Uint8Array) => bytes.write(data, { signal }),
    };
    await proveMembership(channel, { key: gate.key, self: gate.self, remote, initiator });
    return { ...secured, connection: bytes.unwrap() };
  } catch (error) {
    const reason = error instanceof Error ? error : new JoinRefusedError(String(error));
    report(context, remote, reason);
    secured.connection.abort(reason);
    throw reason;
  } finally {
    done.abort();
  }
}

/** A wrong secret is an operator's mistake and said aloud, but once for each peer: strangers must not fill the log. */
function report({ gate, refused, initiator }: JoinContext, peer: PeerId | undefined, reason: Error): void {
  const loud =
    reason instanceof JoinRefusedError &&
    peer !== undefined &&
    !refused.has(peer) &&
    refused.size < MAX_REFUSED;
  if (loud) refused.add(peer);
  gate.logger[loud ? "warn" : "debug"]("join refused", { peer, initiator, error: reason.message });
}

function deadline({ gate, signal }: JoinContext, done: AbortSignal): AbortSignal {
  const expired = new AbortController();
  gate.clock.sleep(JOIN_DEADLINE_MS, { signal: done }).then(
    () => expired.abort(new JoinRefusedError("no proof in time")),
    () => undefined,
  );
  return signal ? AbortSignal.any([signal, expired.signal]) : expired.signal;
}
