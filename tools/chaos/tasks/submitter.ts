// A client as a process of its own: asks for many tasks at once, at all peers in turn, until each is acknowledged.
// The one argument is a SubmitterStart as JSON. Ends with code 0 when it has all its acknowledgements.
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type Reachable } from "./client.ts";

export interface SubmitterStart {
  readonly name: string;
  readonly tasks: number;
  /** Requests that wait at the same time. */
  readonly lanes: number;
  readonly peers: readonly Reachable[];
  readonly history: string;
}

const PAUSE_MS = 200;

const start: SubmitterStart = JSON.parse(process.argv[2] ?? "{}");
process.stdin.on("end", () => process.exit(1)).resume();
const client = new Client(start.name, (record) =>
  appendFileSync(start.history, `${JSON.stringify(record)}\n`),
);
let next = 0;
await Promise.all(Array.from({ length: start.lanes }, () => lane()));
process.exit(0);

async function lane(): Promise<void> {
  while (next < start.tasks) {
    const number = next++;
    for (let turn = number; !(await isTaken(number, turn)); turn++) await sleep(PAUSE_MS);
  }
}

async function isTaken(number: number, turn: number): Promise<boolean> {
  const peer = start.peers[turn % start.peers.length];
  const key = `${start.name}-${number}`;
  const wanted = {
    key,
    spec: { goal: `race ${key}`, project: "race", attempts: 10, commands: [{ run: "true" }] },
  };
  return peer !== undefined && (await client.submit(peer, wanted)) !== undefined;
}
