import { ChorusError, type PeerId } from "@chorus/kernel";

/** The identity file is there but cannot be used. */
export class IdentityUnreadableError extends ChorusError {
  readonly code = "p2p/identity-unreadable";
  constructor(file: string, problem: string, cause?: unknown) {
    super(`identity file ${file}: ${problem}`, { detail: { file, problem }, cause });
  }
}

/** Others may read or write the identity file. */
export class IdentityExposedError extends ChorusError {
  readonly code = "p2p/identity-exposed";
  constructor(file: string, mode: number) {
    const octal = mode.toString(8).padStart(4, "0");
    super(`identity file ${file} has mode ${octal}, others can reach the key: run chmod 600 on it`, {
      detail: { file, mode: octal },
    });
  }
}

/** There is no identity yet and none can be written. */
export class IdentityUnwritableError extends ChorusError {
  readonly code = "p2p/identity-unwritable";
  constructor(file: string, cause: unknown) {
    super(`identity file ${file} cannot be created`, { detail: { file }, cause });
  }
}

/** Another process listens there. */
export class AddressInUseError extends ChorusError {
  readonly code = "p2p/address-in-use";
  constructor(address: string, cause?: unknown) {
    super(`address ${address} is in use by another process`, { detail: { address }, cause });
  }
}

/** The machine refuses to listen there, for example because the address is not its own. */
export class ListenFailedError extends ChorusError {
  readonly code = "p2p/listen-failed";
  constructor(address: string, cause: unknown) {
    super(`cannot listen on ${address}`, { detail: { address }, cause });
  }
}

/** The peer cannot be reached, or does not speak the protocol. */
export class UnreachableError extends ChorusError {
  readonly code = "p2p/unreachable";
  constructor(peer: PeerId, protocol: string, cause?: unknown) {
    super("peer cannot be reached on this protocol", { retryable: true, detail: { peer, protocol }, cause });
  }
}

/** The stream ended before the other side had closed it, or the other side broke the framing. */
export class StreamLostError extends ChorusError {
  readonly code = "p2p/stream-lost";
  constructor(problem: string, cause?: unknown) {
    super(`stream lost: ${problem}`, { retryable: true, detail: { problem }, cause });
  }
}

/** The other side of a fresh connection did not prove that it knows the cluster secret. */
export class JoinRefusedError extends ChorusError {
  readonly code = "p2p/join-refused";
  constructor(problem: string, cause?: unknown) {
    super(`join refused: ${problem}`, { detail: { problem }, cause });
  }
}

/** The node has been disposed. */
export class ClosedError extends ChorusError {
  readonly code = "p2p/closed";
  constructor() {
    super("the node is closed");
  }
}
