import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import { type Draft, set } from "./draft.ts";
import { ABSENT_MS, type Input, type Seen } from "./state.ts";

/** Members whose presence is kept; voters are always among them. */
const MAX_PEERS = 256;

export function onPresence(draft: Draft, { from, ...said }: Input & { kind: "presence" }): void {
  const { state, now } = draft;
  const before = state.peers[from];
  const { uptimeMs, wants = true, eligible = true, priority = 0, founding = "" } = said;
  // A restart shows as a shorter uptime: what stays up is what is stable.
  const steady = before !== undefined && now - before.at <= ABSENT_MS && uptimeMs >= before.uptimeMs;
  const since = steady && before.founding === founding ? before.since : now;
  const seen: Seen = { peer: from, at: now, since, uptimeMs, wants, eligible, priority, founding };
  const peers = before === undefined ? room(draft, from) : state.peers;
  if (peers !== undefined) set(draft, { peers: { ...peers, [from]: seen } });
}

/** The peers without the longest absent one, where there are too many; undefined when there is none to leave out. */
function room(draft: Draft, from: PeerId): Readonly<Record<string, Seen>> | undefined {
  const { peers, config } = draft.state;
  const names = Object.keys(peers);
  if (names.length < MAX_PEERS) return peers;
  const isVoter = (name: string): boolean => config?.voters.some(({ peer }) => peer === name) === true;
  const gone = names
    .filter((name) => !isVoter(name))
    .filter((name) => draft.now - (peers[name]?.at ?? 0) > ABSENT_MS || voterOf(config, from) !== undefined)
    .toSorted((a, b) => (peers[a]?.at ?? 0) - (peers[b]?.at ?? 0))[0];
  if (gone === undefined) return undefined;
  return Object.fromEntries(Object.entries(peers).filter(([name]) => name !== gone));
}
