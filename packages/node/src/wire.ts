/** The fixed gossip topics of a mesh; there is never one per task. */
export const topics = {
  election: "chorus/election/v1",
  decisions: "chorus/decisions",
} as const;

/** The part of a decision's address that says in which capacity its author acted. */
export const AGENT_ROLE = "agent";

/** Lanes under this role point at the signatures of the records in the lane beside them. */
export const SIGNATURES_ROLE = "agent.signatures";
