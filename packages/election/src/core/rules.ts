/**
 * The rules that safety rests on, each with a switch. All are on in every election; tests switch one off and must
 * see the harm, or the rule (or the test) is worth nothing.
 */
export interface Rules {
  /** Term and vote are on the disk before anyone hears of them. */
  readonly persistedVote: boolean;
  /** A restarted voter votes for nobody for one timeout. */
  readonly restartHold: boolean;
  /** The lease starts with the first beat that a quorum acknowledged, not with winning. */
  readonly leaseStart: boolean;
  /** A voter that acknowledged a beat votes for nobody until the lease of its admin is over. */
  readonly stickiness: boolean;
  /** Q1: a majority has installed the configuration that is to be changed. */
  readonly installedQuorum: boolean;
  /** Q2: a majority is in the term of the admin that changes the configuration. */
  readonly termQuorum: boolean;
  /** A voter refuses a candidate with an older configuration. */
  readonly configCheck: boolean;
  /** A voter refuses a candidate whose log ends before its own, and P1: an entry of the term is committed first. */
  readonly logCheck: boolean;
  /** A change adds, removes or alters one voter. */
  readonly oneAtATime: boolean;
  /** A new admin writes the configuration again with its own term before it changes anything. */
  readonly configRewrite: boolean;
}

export const ALL_RULES: Rules = {
  persistedVote: true,
  restartHold: true,
  leaseStart: true,
  stickiness: true,
  installedQuorum: true,
  termQuorum: true,
  configCheck: true,
  logCheck: true,
  oneAtATime: true,
  configRewrite: true,
};
