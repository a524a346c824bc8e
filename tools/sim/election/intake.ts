import {
  anchorOf,
  type ConfigChange,
  type Effect,
  type ElectionConfig,
  firstConfig,
  type Input,
  type Message,
  predecessorOf,
  type Rules,
  type State,
} from "@chorus/election/testing";
import type { PeerId } from "@chorus/kernel";
import { ballot, handover, isSigned, succession, votersOf } from "./signatures.ts";

type Certificate = NonNullable<State["certificate"]>;

/** What the package's intake does before anything reaches the rules, with tokens instead of Ed25519. */
export function admit(state: State, from: PeerId, message: Message): Input | undefined {
  if (message.kind === "certificate") return admitCertificate(state, message.certificate, from);
  if (message.kind === "change") return admitChange(state, message.change);
  return isGenuine(state, from, message) ? { kind: "message", from, message } : undefined;
}

export function admitCertificate(
  state: State,
  certificate: Certificate,
  from: PeerId | undefined,
): Input | undefined {
  const { config, certificate: known } = state;
  const own = config === undefined || config.founding === certificate.config.founding;
  if (own && isOld(state, certificate)) return undefined;
  if (own && known?.term === certificate.term && known.candidate === certificate.candidate)
    return { kind: "certificate", certificate: known, from };
  const trusted = own && config !== undefined ? anchorOf(state, certificate) : certificate.config;
  return trusted !== undefined && isElected(certificate, trusted)
    ? { kind: "certificate", certificate, from }
    : undefined;
}

/** An old one may still confirm the configuration: a candidate raises the term before anyone leads in it. */
function isOld({ config, term: known }: State, { term }: Certificate): boolean {
  return term < known && (config === undefined || term <= config.cterm);
}

/** A quorum of exactly these voters signed it. */
export function isElected(certificate: Certificate, trusted: ElectionConfig): boolean {
  const { config, term, candidate, votes } = certificate;
  const statement = ballot(config, term, candidate);
  return (
    votersOf(config) === votersOf(trusted) &&
    config.cterm < term &&
    trusted.voters.some(({ peer, eligible }) => peer === candidate && eligible) &&
    areSigned(trusted, votes, statement) &&
    votes.length > trusted.voters.length / 2
  );
}

function admitChange(state: State, change: ConfigChange): Input | undefined {
  const { foreign, config: own, rules } = state;
  const { config, approvals } = change;
  if (own === undefined)
    return isFounded(state, change) ? { kind: "change", change, previous: undefined } : undefined;
  const theirs = foreign !== undefined && config.founding === foreign.certificate.config.founding;
  const previous = predecessorOf(theirs ? foreign : state, config, rules.oneAtATime ? 1 : Infinity);
  if (previous === undefined) return undefined;
  const approved =
    areSigned(previous, approvals, agreed(rules, previous, config)) &&
    approvals.length > previous.voters.length / 2;
  return approved || isUnasked(rules) ? { kind: "change", change, previous } : undefined;
}

/** A first configuration that names this peer, and that all its voters signed. */
function isFounded({ self, cluster }: State, { config, approvals }: ConfigChange): boolean {
  const names = config.voters.map(({ peer }) => peer);
  return (
    names.includes(self) &&
    config.cterm === 0 &&
    votersOf(config) === votersOf(firstConfig(cluster, names)) &&
    approvals.length === config.voters.length &&
    areSigned(config, approvals, succession(undefined, config))
  );
}

function isGenuine(state: State, from: PeerId, message: Message): boolean {
  const { config, self, proposal, rules } = state;
  if (message.kind === "approval")
    return (
      proposal === undefined ||
      // One for anything else counts for nothing.
      votersOf(proposal.config) !== votersOf(message.config) ||
      isSigned(from, agreed(rules, proposal.previous, proposal.config), message.signature)
    );
  if (message.kind === "vote-request") return isReleased(state, from, message);
  if (message.kind !== "vote-reply" && message.kind !== "transfer") return true;
  if (message.kind === "vote-reply" && !message.granted) return true;
  const statement = message.kind === "transfer" ? handover : ballot;
  return config !== undefined && isSigned(from, statement(config, message.term, self), message.signature);
}

/** A hand-over by an admin that this voter never met releases it from nothing. */
function isReleased(
  { config, certificate }: State,
  from: PeerId,
  { transfer }: Message & { kind: "vote-request" },
): boolean {
  if (transfer === undefined || certificate?.term !== transfer.term) return true;
  const { term, signature } = transfer;
  return config !== undefined && isSigned(certificate.candidate, handover(config, term, from), signature);
}

/** What an approval signs. It names the configuration before, unless that is the rule that is switched off. */
export function agreed(rules: Rules, previous: ElectionConfig | undefined, config: ElectionConfig): string {
  const named = rules.installedQuorum && rules.configRewrite;
  return succession(named || previous === undefined ? previous : { ...config, version: 0 }, config);
}

/** With neither of the two rules, nobody is asked. */
function isUnasked({ installedQuorum, termQuorum }: Rules): boolean {
  return !installedQuorum && !termQuorum;
}

function areSigned(config: ElectionConfig, votes: Certificate["votes"], statement: string): boolean {
  return (
    new Set(votes.map(({ voter }) => voter)).size === votes.length &&
    votes.every(
      ({ voter, signature }) =>
        config.voters.some(({ peer }) => peer === voter) && isSigned(voter, statement, signature),
    )
  );
}

export function isNewer(a: ElectionConfig, b: ElectionConfig): boolean {
  return a.cterm > b.cterm || (a.cterm === b.cterm && a.version > b.version);
}

/** What is wrong with signing this now, if anything: the peer knows something newer. */
export function slipOf({ config, term, rules }: State, effect: Effect): string | undefined {
  if (effect.kind === "vote" && config !== undefined && isNewer(config, effect.config))
    return `it knows configuration ${config.cterm}.${config.version} and voted in ${effect.config.cterm}.${effect.config.version}`;
  if (effect.kind !== "approve" || !rules.configRewrite) return undefined;
  const { cterm, founding } = effect.config;
  return cterm < term && effect.previous?.founding === founding
    ? `it is in term ${term} and approved a change of term ${cterm}`
    : undefined;
}
