import { type Envelope, errorCode, type Logger, type PeerId } from "@chorus/kernel";
import { verifyCertificate, verifyVote } from "./certificate.ts";
import type { AdminCert } from "./contract.ts";
import type { Input, State } from "./core/state.ts";
import { type Message, parseCertificate, parsePresence } from "./wire.ts";

/** Gossip types of this package. */
export const GOSSIP = { certificate: "admin-certificate", presence: "presence" } as const;

/** Checks signatures before anything reaches the rules. */
export interface Intake {
  readonly onMessage: (from: PeerId, message: Message) => Promise<void>;
  readonly onGossip: (envelope: Envelope) => Promise<void>;
}

export function intake(ports: {
  readonly state: () => State;
  readonly push: (input: Input) => Promise<void>;
  readonly logger: Logger;
}): Intake {
  const { state, push, logger } = ports;

  const onCertificate = async (certificate: AdminCert, from: PeerId | undefined): Promise<void> => {
    const { config, term, cluster, certificate: known } = state();
    if (term > certificate.term) {
      logger.debug("certificate of an older term ignored", { term: certificate.term, known: term });
      return;
    }
    // The same certificate comes again and again; its votes need no second look.
    if (known?.term === certificate.term && known.candidate === certificate.candidate) {
      await push({ kind: "certificate", certificate: known, from });
      return;
    }
    const valid =
      certificate.config.cluster === cluster &&
      (await verifyCertificate(certificate, config ?? certificate.config));
    if (valid) await push({ kind: "certificate", certificate, from });
    else
      logger.warn("certificate refused", { term: certificate.term, candidate: certificate.candidate, from });
  };
  const isGenuineVote = (voter: PeerId, message: Message & { kind: "vote-reply" }): Promise<boolean> => {
    const { config, self } = state();
    if (!message.granted) return Promise.resolve(true);
    if (config === undefined) return Promise.resolve(false);
    return verifyVote(
      { config, term: message.term, candidate: self },
      { voter, signature: message.signature },
    );
  };
  return {
    async onMessage(from, message) {
      if (message.kind === "certificate") await onCertificate(message.certificate, from);
      else if (message.kind !== "vote-reply" || (await isGenuineVote(from, message)))
        await push({ kind: "message", from, message });
      else logger.warn("vote refused", { from, term: message.term });
    },
    async onGossip({ type, body, from }) {
      try {
        if (type === GOSSIP.certificate) await onCertificate(parseCertificate(body), undefined);
        else if (type === GOSSIP.presence)
          await push({ kind: "presence", from, uptimeMs: parsePresence(body).uptimeMs });
      } catch (error) {
        logger.warn("gossip refused", { from, type, code: errorCode(error) });
      }
    },
  };
}
