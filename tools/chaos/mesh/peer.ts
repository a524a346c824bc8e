// One peer as a process of its own: mesh and election, and a file in which it writes down what it does and believes.
// The one argument is a PeerStart as JSON. It ends with its standard input, and on SIGTERM after handing over.
import { join } from "node:path";
import { type Admin, type Election, election, sqliteVoteStore } from "@chorus/election";
import { parsePeerId, systemClock } from "@chorus/kernel";
import { type P2p, p2p } from "@chorus/p2p";
import { askedFirst } from "./asked-first.ts";
import { moment } from "./history.ts";
import { forgetfulStore, parseMutant, sleepyClock } from "./mutants.ts";
import { recordedLogger, recordedStore, recorder, type Write } from "./recorder.ts";

export interface PeerStart {
  /** Holds the identity, the votes and the history. */
  readonly folder: string;
  /** Counts the processes that had this folder; 1 for the first. */
  readonly life: number;
  readonly cluster: string;
  /** Base64. */
  readonly clusterSecret: string;
  readonly listen: string;
  readonly bootstrap: readonly string[];
  readonly voters: readonly string[];
  readonly mutant?: string;
}

const TOPIC = "chaos/beacon";
/** How often a peer asks itself whether it may act: what lasts longer cannot be missed. */
const ASK_MS = 5;
/** A peer that asks itself later than this was busy, or could not run. */
const LATE_MS = 50;
const BEACON_MS = 500;
const LOOK_MS = 50;
/** Room for the messages of one life. */
const LIFE_NUMBERS = 1_000_000;

const start: PeerStart = JSON.parse(process.argv[2] ?? "{}");
process.stdin.on("end", () => process.exit(1)).resume();
await run(start);

async function run({ folder, life, ...options }: PeerStart): Promise<void> {
  const write = recorder(join(folder, "history.jsonl"));
  const logger = recordedLogger(write);
  const mutant = parseMutant(options.mutant);
  const mesh = await p2p(
    { logger, clock: systemClock },
    {
      cluster: options.cluster,
      clusterSecret: Buffer.from(options.clusterSecret, "base64"),
      identityFile: join(folder, "identity"),
      listen: [options.listen],
      bootstrap: options.bootstrap,
      mdns: false,
      topics: [TOPIC, "chorus/election/v1"],
    },
  );
  write({ kind: "life", at: moment(), life, peer: mesh.signer.peer });
  const votes = mutant === "forgetful" ? forgetfulStore() : sqliteVoteStore(join(folder, "votes.db"));
  const asker = { ask: (): void => undefined };
  const voting = await election(
    {
      ...askedFirst(mesh, () => asker.ask()),
      signer: mesh.signer,
      store: recordedStore(votes, write),
      clock: mutant === "sleepy-clock" ? sleepyClock() : systemClock,
      random: Math.random,
      logger,
    },
    {
      cluster: options.cluster,
      role: "voter",
      voters: options.voters.map((voter) => parsePeerId(voter)),
      profile: "lan",
    },
  );
  write({ kind: "up", at: moment() });
  process.once("SIGTERM", () => void leave(mesh, voting));
  asker.ask = askForEver(voting, write);
  lookForEver(mesh, write);
  beaconForEver(mesh, { write, life });
  await Promise.all([listen(mesh, write), watch(voting, write)]);
}

async function leave(mesh: P2p, voting: Election): Promise<void> {
  await voting.handOver();
  await voting[Symbol.asyncDispose]();
  await mesh[Symbol.asyncDispose]();
  process.exit(0);
}

/** The answer holds for a moment between the two readings of the clock, however long the process was stopped there. */
function askForEver(voting: Election, write: Write): () => void {
  let last = moment();
  let used = process.cpuUsage();
  const ask = (): void => {
    const from = moment();
    if (from - last > LATE_MS) {
      const { user, system } = process.cpuUsage(used);
      write({ kind: "late", from: last, to: from, busyMs: (user + system) / 1000 });
    }
    used = process.cpuUsage();
    const yes = voting.isAdmin();
    const to = moment();
    const term = yes ? voting.admin()?.term : undefined;
    if (term !== undefined) write({ kind: "lease", from, to, term });
    last = moment();
  };
  setInterval(ask, ASK_MS);
  // The first thing after a stop, before anything of the others has been read.
  process.on("SIGCONT", ask);
  return ask;
}

function lookForEver(mesh: P2p, write: Write): void {
  let before = "";
  setInterval(() => {
    const peers = [...new Set(mesh.connections().map(({ peer }) => peer))].toSorted();
    if (peers.join() === before) return;
    before = peers.join();
    write({ kind: "connected", at: moment(), peers });
  }, LOOK_MS);
}

function beaconForEver(mesh: P2p, { write, life }: { write: Write; life: number }): void {
  let number = life * LIFE_NUMBERS;
  setInterval(() => {
    const mine = ++number;
    write({ kind: "said", at: moment(), number: mine });
    mesh.pubsub
      .publish(TOPIC, "beacon", { number: mine })
      .catch((error: unknown) =>
        write({ kind: "log", at: moment(), level: "warn", message: "not published", fields: String(error) }),
      );
  }, BEACON_MS);
}

async function listen(mesh: P2p, write: Write): Promise<void> {
  const { signal } = new AbortController();
  for await (const { from, body } of mesh.pubsub.subscribe(TOPIC, { signal }))
    if (typeof body === "object" && body !== null && "number" in body)
      write({ kind: "heard", at: moment(), from, number: Number(body["number"]) });
}

async function watch(voting: Election, write: Write): Promise<void> {
  const { signal } = new AbortController();
  for await (const admin of voting.changes({ signal }))
    write({ kind: "admin", at: moment(), ...view(admin) });
}

function view(admin: Admin | undefined) {
  if (admin === undefined) return {};
  const { config, term, candidate, votes } = admin.certificate;
  return {
    certificate: {
      term,
      candidate,
      voters: config.voters.map(({ peer }) => peer),
      votes: votes.map(({ voter }) => voter),
    },
  };
}
