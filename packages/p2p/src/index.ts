/**
 * A libp2p node as a closed, self-healing mesh behind a narrow interface.
 *
 * @packageDocumentation
 */
export type { ConnectionInfo, Encryption, P2p, P2pComponents, P2pOptions, Routing } from "./contract.ts";
export {
  AddressInUseError,
  IdentityExposedError,
  IdentityUnreadableError,
  IdentityUnwritableError,
  UnreachableError,
} from "./errors.ts";
export { p2p } from "./p2p.ts";
