import { type Envelope, errorCode, InvalidInputError, type Logger, type PeerId } from "@chorus/kernel";
import {
  equivocations,
  verifyApproval,
  verifyCertificate,
  verifyChange,
  verifyEquivocation,
  verifyFounding,
  verifyTransfer,
  verifyVote,
} from "./certificate.ts";
import { sameVoters } from "./config.ts";
import type {
  AdminCert,
  ConfigChange,
  ElectionConfig,
  ElectionEvent,
  EquivocationProof,
} from "./contract.ts";
import { isFoundingWith } from "./core/founding.ts";
import { anchorOf, isOutOfReach, predecessorOf } from "./core/lineage.ts";
import { type Input, MAX_LEAP, type State } from "./core/state.ts";
import { type Message, parsePresence } from "./wire.ts";
import { parseCertificate, parseProof } from "./wire-parts.ts";

/** Gossip types of this package. */
export const GOSSIP = {
  certificate: "admin-certificate",
  presence: "presence",
  equivocation: "equivocation",
} as const;

/** Proofs that were reported already. */
const MAX_REPORTED = 256;

export interface IntakePorts {
  readonly state: () => State;
  readonly push: (input: Input) => Promise<void>;
  /** A proof that was checked and is new here. */
  readonly report: (proof: EquivocationProof) => void;
  /** Called once, when the mesh has gone further than anyone can lead this peer to. */
  readonly leftBehind: (event: ElectionEvent & { kind: "left-behind" }) => void;
  readonly logger: Logger;
}

/** Checks signatures before anything reaches the rules. */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #reported = new Set<string>();
  #leftBehind = false;

  constructor(ports: IntakePorts) {
    this.#ports = ports;
  }

  /** @throws InvalidInputError for a term that no honest peer claims: the stream ends, and the peer's score pays */
  async onMessage(from: PeerId, message: Message): Promise<void> {
    const { push, logger, state } = this.#ports;
    if ("term" in message && message.term > state().term + MAX_LEAP)
      throw new InvalidInputError("term", "leaps too far");
    if (message.kind === "certificate") await this.#onCertificate(message.certificate, from);
    else if (message.kind === "change") await this.#onChange(message.change);
    else if (await this.#isGenuine(from, message)) await push({ kind: "message", from, message });
    else logger.warn("message refused", { from, kind: message.kind });
  }

  async onGossip({ type, body, from }: Envelope): Promise<void> {
    try {
      if (type === GOSSIP.certificate) await this.#onCertificate(parseCertificate(body), undefined);
      else if (type === GOSSIP.equivocation) await this.#onProof(parseProof(body));
      else if (type === GOSSIP.presence)
        await this.#ports.push({ kind: "presence", from, ...parsePresence(body) });
    } catch (error) {
      this.#ports.logger.warn("gossip refused", { from, type, code: errorCode(error) });
    }
  }

  /** Two sets of votes of one term: every voter in both has signed twice. */
  onConflict(one: AdminCert, other: AdminCert): void {
    for (const proof of equivocations(one, other)) this.#tell(proof);
  }

  async #onProof(proof: EquivocationProof): Promise<void> {
    if (proof.cluster !== this.#ports.state().cluster || this.#reported.has(nameOf(proof))) return;
    if (await verifyEquivocation(proof)) this.#tell(proof);
    else this.#ports.logger.warn("proof refused", { voter: proof.voter, term: proof.term });
  }

  #tell(proof: EquivocationProof): void {
    const name = nameOf(proof);
    if (this.#reported.has(name) || this.#reported.size >= MAX_REPORTED) return;
    this.#reported.add(name);
    this.#ports.report(proof);
  }

  async #onCertificate(certificate: AdminCert, from: PeerId | undefined): Promise<void> {
    const { state, push, logger } = this.#ports;
    const { config, certificate: known } = state();
    const own = config === undefined || config.founding === certificate.config.founding;
    if (own && this.#isOld(certificate)) return;
    // The same certificate comes again and again; its votes need no second look.
    if (own && known?.term === certificate.term && known.candidate === certificate.candidate)
      await push({ kind: "certificate", certificate: known, from });
    else if (await this.#isValid(certificate, own)) await push({ kind: "certificate", certificate, from });
    else if (own && from === certificate.candidate && isOutOfReach(state(), certificate))
      await this.#onLeftBehind(certificate);
    else
      logger.warn("certificate refused", { term: certificate.term, candidate: certificate.candidate, from });
  }

  /** An old one may still confirm the configuration: a candidate raises the term before anyone leads in it. */
  #isOld({ term }: AdminCert): boolean {
    const { term: known, config } = this.#ports.state();
    if (term > known + MAX_LEAP) throw new InvalidInputError("certificate/term", "leaps too far");
    const old = term < known && (config === undefined || term <= config.cterm);
    if (old) this.#ports.logger.debug("certificate of an older term ignored", { term, known });
    return old;
  }

  async #onLeftBehind(certificate: AdminCert): Promise<void> {
    if (this.#leftBehind || !(await verifyCertificate(certificate, certificate.config))) return;
    this.#leftBehind = true;
    const [own, theirs] = [this.#ports.state().config?.version ?? 0, certificate.config.version];
    this.#ports.leftBehind({ kind: "left-behind", own, theirs });
  }

  async #isValid(certificate: AdminCert, own: boolean): Promise<boolean> {
    const state = this.#ports.state();
    const trusted = own ? trustedFor(state, certificate) : certificate.config;
    if (certificate.config.cluster !== state.cluster || trusted === undefined) return false;
    return verifyCertificate(certificate, trusted);
  }

  async #onChange(change: ConfigChange): Promise<void> {
    const { state, push } = this.#ports;
    const { config } = change;
    const { foreign, config: own } = state();
    if (own === undefined) {
      // Only one that this peer signed: the signatures of all voters are in it.
      if (!isFoundingWith(state(), config)) return;
      if (await verifyFounding(change)) await push({ kind: "change", change, previous: undefined });
      else this.#refuse(change);
      return;
    }
    const theirs = foreign !== undefined && config.founding === foreign.certificate.config.founding;
    const previous = predecessorOf(theirs ? foreign : state(), config);
    // What is known already comes again and again; what is too far ahead comes again in its order.
    if (previous === undefined) return;
    if (await verifyChange(change, previous)) await push({ kind: "change", change, previous });
    else this.#refuse(change);
  }

  #refuse({ config: { version, founding } }: ConfigChange): void {
    this.#ports.logger.warn("change refused", { version, founding });
  }

  #isGenuine(from: PeerId, message: Message): Promise<boolean> {
    const { config, certificate, self, proposal } = this.#ports.state();
    if (message.kind === "vote-reply" && message.granted)
      return withConfig(config, (own) =>
        verifyVote(
          { config: own, term: message.term, candidate: self },
          { voter: from, signature: message.signature },
        ),
      );
    if (message.kind === "approval") {
      const { signature } = message;
      // One for anything else counts for nothing.
      if (proposal === undefined || !sameVoters(proposal.config, message.config))
        return Promise.resolve(true);
      return verifyApproval(proposal, { voter: from, signature });
    }
    if (message.kind === "transfer")
      return withConfig(config, (own) =>
        verifyTransfer(
          { config: own, term: message.term, successor: self },
          { voter: from, signature: message.signature },
        ),
      );
    const proof = message.kind === "vote-request" ? message.transfer : undefined;
    // A hand-over by an admin that this voter never met releases it from nothing.
    if (proof === undefined || certificate?.term !== proof.term) return Promise.resolve(true);
    return withConfig(config, (own) =>
      verifyTransfer(
        { config: own, term: proof.term, successor: from },
        { voter: certificate.candidate, signature: proof.signature },
      ),
    );
  }
}

/** A peer that knows no mesh takes a certificate's own configuration: it trusts the first it meets. */
function trustedFor(state: State, certificate: AdminCert): ElectionConfig | undefined {
  return state.config === undefined ? certificate.config : anchorOf(state, certificate);
}

function withConfig(
  config: ElectionConfig | undefined,
  verify: (config: ElectionConfig) => Promise<boolean>,
): Promise<boolean> {
  return config === undefined ? Promise.resolve(false) : verify(config);
}

function nameOf({ founding, term, voter }: EquivocationProof): string {
  return `${founding} ${term} ${voter}`;
}
