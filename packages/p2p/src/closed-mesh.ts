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

/** Handshake and proof take milliseconds; a stranger may not hold a connection open for longer. */
const JOIN_DEADLINE_MS = 5_000;

/**
 * Wraps an encrypter so that its handshake counts only once both sides have proved membership inside the
 * secured channel. libp2p starts the muxer after the encrypter returns, so no protocol runs before.
 */
export function gated(encrypter: ConnectionEncrypter, gate: Gate): ConnectionEncrypter {
  const behind =
    (secure: Secure, initiator: boolean): Secure =>
    async (connection, options) =>
      join(await secure(connection, options), { gate, initiator, signal: options?.signal });
  return {
    protocol: encrypter.protocol,
    secureInbound: behind(encrypter.secureInbound.bind(encrypter), false),
    secureOutbound: behind(encrypter.secureOutbound.bind(encrypter), true),
  };
}

interface JoinContext {
  readonly gate: Gate;
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
    gate.logger.debug("join refused", { peer: remote, initiator, error: reason.message });
    secured.connection.abort(reason);
    throw reason;
  } finally {
    done.abort();
  }
}

function deadline({ gate, signal }: JoinContext, done: AbortSignal): AbortSignal {
  const expired = new AbortController();
  gate.clock.sleep(JOIN_DEADLINE_MS, { signal: done }).then(
    () => expired.abort(new JoinRefusedError("no proof in time")),
    () => undefined,
  );
  return signal ? AbortSignal.any([signal, expired.signal]) : expired.signal;
}
