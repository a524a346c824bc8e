import { join } from "node:path";
import { type Clock, systemClock } from "@chorus/kernel";
import {
  type Components,
  type Coordinator,
  coordinator,
  sqliteOutbox,
  taskMachine,
} from "@chorus/coordinator";
import { type Election, election, sqliteVoteStore } from "@chorus/election";
import { engine } from "@chorus/engine";
import { eventLog } from "@chorus/event-log";
import { electedLog, ledger, type LogStore, sqliteLogStore } from "@chorus/ledger";
import type { Base } from "./base.ts";
import type { Config } from "./config.ts";
import { voterFiles } from "./directory.ts";
import { effectCapabilities, type Effectors } from "./effectors.ts";
import { inputSource } from "./inputs.ts";
import { putHeads, records } from "./records.ts";
import { type SandboxOffer, sandboxes } from "./sandboxes.ts";

/** What makes a peer more than a resolver: it knows the admin, holds the ledger, and takes part in tasks. */
export interface Coordination {
  readonly election: Election;
  readonly coordinator: Coordinator;
}

/** A laptop's three agents are all heard before a proposal is answered; a slow learner costs at most the wait. */
const LEDGER_OPTIONS = { ackReplicas: 3, replicaWaitMs: 250 };

/** What is composed from, and who closes it. */
interface Context {
  readonly config: Config;
  readonly base: Base;
  readonly clock: Clock;
  readonly stack: AsyncDisposableStack;
}

/** What tasks are worked on with. */
interface Composition {
  readonly config: Config;
  readonly base: Base;
  readonly offer: SandboxOffer;
  readonly effectors: Effectors;
}

/** Opens election, ledger, event log, engine and coordinator over a base; they are closed by `stack`. */
export async function openCoordination(
  { config, base, offer, effectors }: Composition,
  stack: AsyncDisposableStack,
): Promise<Coordination> {
  const context = { config, base, clock: systemClock, stack };
  const files = voterFiles(config.dataDirectory);
  const log = stack.use(sqliteLogStore(files.ledger));
  const elected = await openElection(context, { log, votes: files.votes });
  const coordinated = stack.use(
    await coordinator(
      {
        ledger: await openLedger(context, elected, log),
        eventLog: await openHistory(context),
        effectors,
        outbox: stack.use(sqliteOutbox(join(config.dataDirectory, "outbox.db"))),
        ...workParts(context),
      },
      {
        cluster: config.cluster,
        capacity: offer.best === undefined ? 0 : config.capacity,
        capabilities: [...offer.capabilities, ...effectCapabilities(effectors)],
        leaseMs: config.leaseMs,
        outputDirectory: join(config.dataDirectory, "output"),
      },
    ),
  );
  stack.defer(() => elected.handOver());
  return { election: elected, coordinator: coordinated };
}

async function openElection(
  { config, base, clock, stack }: Context,
  { log, votes }: { readonly log: LogStore; readonly votes: string },
): Promise<Election> {
  const { streams, pubsub, signer } = base.mesh;
  const store = stack.use(sqliteVoteStore(votes));
  const stored = await store.load();
  const isVoter = stored?.config?.voters.some(({ peer }) => peer === signer.peer) === true;
  return stack.use(
    await election(
      {
        streams,
        pubsub,
        signer,
        store,
        clock,
        random: Math.random,
        logger: base.logger,
        log: electedLog(log),
      },
      {
        cluster: config.cluster,
        role: config.electionEligible && (isVoter || mayFound(config)) ? "voter" : "observer",
        expect: config.bootstrapExpect,
        profile: config.electionProfile,
      },
    ),
  );
}

/** Who joins a mesh through others founds none beside it, unless it was told to wait for other founders. */
function mayFound({ bootstrap, bootstrapExpect }: Config): boolean {
  return bootstrap.length === 0 || bootstrapExpect > 1;
}

async function openLedger(
  { config, base, clock, stack }: Context,
  leadership: Election,
  store: LogStore,
): Promise<Components["ledger"]> {
  const machine = taskMachine({ cluster: config.cluster });
  return stack.use(
    await ledger(
      {
        streams: base.mesh.streams,
        leadership,
        store,
        machine,
        admit: (command) => machine.admit(command),
        clock,
        logger: base.logger,
      },
      LEDGER_OPTIONS,
    ),
  );
}

async function openHistory({ config, base, clock, stack }: Context): Promise<Components["eventLog"]> {
  const { signer } = base.mesh;
  return stack.use(
    await eventLog(
      { signer, clock, logger: base.logger },
      {
        file: join(config.dataDirectory, "events.db"),
        origin: `${config.cluster}.chorus/peer/${signer.peer}`,
      },
    ),
  );
}

/** The parts that carry a task: run it, clean it, record it, keep it, tell of it. */
function workParts({
  config,
  base,
  clock,
}: Context): Omit<Components, "ledger" | "eventLog" | "outbox" | "effectors"> {
  const { logger, sentinel, storage, mesh } = base;
  const { streams, pubsub, signer } = mesh;
  const inputs = inputSource(storage);
  return {
    executor: engine({ sandboxes: sandboxes(config), inputs, redactor: sentinel, clock, logger }),
    redactor: sentinel,
    records: records({ lanes: storage, signer, name: config.name, cluster: config.cluster }),
    storage: {
      put: (bytes, options) => storage.put(bytes, options),
      get: (cid, options) => storage.get(cid, options),
      putHead: (head, options) => putHeads(head, (one) => storage.putHead(one, options)),
    },
    pubsub,
    streams,
    signer,
    clock,
    logger,
  };
}
