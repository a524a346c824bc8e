import { type History, short } from "../history.ts";

/** A watch that went on at another peer has every event once, and the bytes that anybody else got. */
export function checkWatches(history: History): readonly string[] {
  const found: string[] = [];
  const first = new Map<string, { readonly text: string; readonly peer: string }>();
  for (const [watch, frames] of Map.groupBy(history.all("frame"), (frame) => frame.watch)) {
    const at = frames.findIndex(({ seq }, index) => seq !== index + 1);
    if (at >= 0)
      found.push(
        `watch ${watch}: event ${frames[at]?.seq} from peer ${frames[at]?.peer} where ${at + 1} was due`,
      );
    for (const { task, seq, text, peer } of frames) {
      const name = `${task} ${seq}`;
      const known = first.get(name);
      if (known === undefined) first.set(name, { text, peer });
      else if (known.text !== text)
        found.push(
          `watch ${watch}: event ${seq} of ${short(task)} has other bytes at peer ${peer} than at ${known.peer}`,
        );
    }
  }
  return found;
}
