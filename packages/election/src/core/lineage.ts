import { distance, isOlder, sameVoters } from "../config.ts";
import type { AdminCert, ConfigChange, ElectionConfig } from "../contract.ts";

/** Changes that a peer keeps to prove its configuration to others. */
const MAX_CHANGES = 32;
/** An admin changes so much and then lets a new term begin, whose certificate newcomers can start from. */
export const MAX_CHANGES_A_TERM = 24;

/** How a peer came to its configuration: `config` is the last one, confirmed by the newest admin's term. */
export interface Lineage {
  readonly config: ElectionConfig | undefined;
  readonly base: ElectionConfig | undefined;
  readonly changes: readonly ConfigChange[];
}

/** The configurations as they were signed, oldest first. */
export function configsOf({ config, base, changes }: Lineage): readonly ElectionConfig[] {
  const first = base ?? config;
  return first === undefined ? [] : [first, ...changes.map((change) => change.config)];
}

/**
 * The configuration that a certificate's votes are to be checked against. A new admin confirms the newest
 * configuration, or the one before where the newest reached no majority; nothing older can win a vote.
 */
export function anchorOf(lineage: Lineage, certificate: AdminCert): ElectionConfig | undefined {
  const before = configsOf(lineage).filter(({ cterm }) => cterm < certificate.term);
  return before.slice(-2).find((config) => sameVoters(config, certificate.config));
}

/** So far ahead that no peer has kept the changes that lead there. */
export function isOutOfReach({ config: own }: Lineage, { config }: AdminCert): boolean {
  return own !== undefined && config.version - own.version > MAX_CHANGES;
}

/** What a change follows on, where it is allowed to. @param farthest voters that may differ; more only in tests */
export function predecessorOf(
  lineage: Lineage,
  next: ElectionConfig,
  farthest: number = 1,
): ElectionConfig | undefined {
  const { config } = lineage;
  if (config === undefined) return undefined;
  if (next.founding !== config.founding) return foldsInto(config, next) ? config : undefined;
  if (!isOlder(config, next)) return undefined;
  return configsOf(lineage).findLast((previous) => isNext(previous, next, farthest));
}

/** One version up, one voter apart, one mesh. */
export function isNext(previous: ElectionConfig, next: ElectionConfig, farthest: number = 1): boolean {
  const voters = distance(previous, next);
  return (
    next.cluster === previous.cluster &&
    next.founding === previous.founding &&
    next.version === previous.version + 1 &&
    next.cterm >= previous.cterm &&
    voters > 0 &&
    voters <= farthest
  );
}

/** A mesh of one voter gives way to a larger one; of two such, the one with the lower founding stays. */
export function foldsInto(own: ElectionConfig, other: ElectionConfig): boolean {
  return (
    own.cluster === other.cluster &&
    own.founding !== other.founding &&
    own.voters.length === 1 &&
    (other.voters.length > 1 || other.founding < own.founding)
  );
}

/** The lineage after a change; what came after `previous` was never in force. */
export function extend(lineage: Lineage, previous: ElectionConfig, change: ConfigChange): Lineage {
  const configs = configsOf(lineage);
  const at = configs.findLastIndex((config) => sameVoters(config, previous));
  const kept = [...lineage.changes.slice(0, at), change];
  const surplus = Math.max(0, kept.length - MAX_CHANGES);
  return { config: change.config, base: configs[surplus], changes: kept.slice(surplus) };
}

/** The lineage after an admin confirmed one of its configurations. */
export function confirm(lineage: Lineage, confirmed: ElectionConfig): Lineage | undefined {
  const at = configsOf(lineage).findLastIndex((config) => sameVoters(config, confirmed));
  return at < 0
    ? undefined
    : { config: confirmed, base: lineage.base, changes: lineage.changes.slice(0, at) };
}

/**
 * What a peer lacks that has come as far as this founding and version.
 * @param overlap changes before that: the peer's last one may be of a branch that reached no majority
 */
export function changesAfter(
  lineage: Lineage,
  known: { readonly founding: string; readonly version: number },
  overlap: number = 0,
): readonly ConfigChange[] {
  const at = configsOf(lineage).findLastIndex(
    ({ founding, version }) => founding === known.founding && version === known.version,
  );
  return at < 0 ? [] : lineage.changes.slice(Math.max(0, at - overlap));
}
