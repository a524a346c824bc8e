import type { VoteState } from "@chorus/election/testing";
import type { Disk } from "@chorus/sim";

const FILE = "vote";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The vote store of a simulated peer: whole or not at all, as the package's store on SQLite. */
export function save(disk: Disk, state: VoteState): void {
  disk.write(`${FILE}.new`, encoder.encode(JSON.stringify(state, writeBytes)));
  disk.sync();
  disk.rename(`${FILE}.new`, FILE);
  disk.sync();
}

export function load(disk: Disk): VoteState | undefined {
  const bytes = disk.read(FILE);
  return bytes === undefined ? undefined : JSON.parse(decoder.decode(bytes), readBytes);
}

const MARK = "bytes:";

function writeBytes(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? MARK + Buffer.from(value).toString("hex") : value;
}

function readBytes(_: string, value: unknown): unknown {
  const marked = typeof value === "string" && value.startsWith(MARK);
  return marked ? new Uint8Array(Buffer.from(value.slice(MARK.length), "hex")) : value;
}
