/** Gossip topic on which the addresses of new decisions are told, and nothing else of them. */
export const DECISIONS_TOPIC = "chorus/decisions";

/** Stream protocol that serves a running attempt's output. */
export const OUTPUT_PROTOCOL = "/chorus/output/1.0.0";

/** Phase of the step with which an executor says that the acceptance commands begin. */
export const VERIFYING_PHASE = "verifying";

/** Stream protocol that tells what a peer offers to tasks. */
export const OFFERS_PROTOCOL = "/chorus/offers/1.0.0";
