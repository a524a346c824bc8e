import { decodeCanonical, encodeCanonical } from "@chorus/kernel";
import type { StateMachine } from "../contract.ts";

/** Items of one part. */
const CHUNK = 64;

/** Keeps all commands as text, answers with how many there are. */
export const listMachine: StateMachine<readonly string[], number> = {
  initial: () => [],
  apply: (state, { command }) => ({
    state: [...state, new TextDecoder().decode(command)],
    result: state.length + 1,
  }),
  *snapshot(state) {
    for (let at = 0; at < state.length; at += CHUNK) yield encodeCanonical(state.slice(at, at + CHUNK));
  },
  restore: (parts) => [...parts].flatMap((part) => texts(part)),
};

function texts(part: Uint8Array): readonly string[] {
  const list = decodeCanonical(part);
  if (!Array.isArray(list)) throw new TypeError("a part is no list");
  return list.map((item) => {
    if (typeof item !== "string") throw new TypeError("an item is no text");
    return item;
  });
}
