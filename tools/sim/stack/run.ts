import { equalBytes, type PeerId } from "@chorus/kernel";
import type { World } from "@chorus/sim";
import type { Machine } from "../tasks/machine.ts";
import { ClientBook } from "./client-book.ts";
import type { Sent } from "./commands.ts";
import { History, type Step } from "./history.ts";
import type { StoredEntry } from "./ledger-core.ts";
import { type EffectRecord, isPermittedNow } from "./effect-core.ts";
import { isKept } from "./log-disk.ts";
import type { Judge, Promised } from "./promises.ts";
import { type Kind, KINDS, TargetBook } from "./target-book.ts";
import { TaskOnlooker } from "./task-onlooker.ts";

/** Who applies an entry first is its leader. */
interface Applier {
  readonly node: number;
  readonly term: number;
  readonly voters: readonly PeerId[];
  readonly note: (text: string) => void;
}

/** Which disks hold an entry, as the simulation knows it. */
interface NewEntry {
  readonly entry: StoredEntry;
  readonly voters: readonly PeerId[];
}

/**
 * One run as only the simulation sees it: the order that all peers come to, what clients were told, what the outside
 * shows, and what of it breaks a promise. Made anew for each run.
 */
export class Run implements Judge {
  readonly history: History;
  readonly broken = new Map<Promised, string>();
  /** Commands by the name of their proposal. */
  readonly sent = new Map<string, Sent>();
  readonly clients = new ClientBook(this);
  /** Of the effects that are asked for. */
  readonly kinds: readonly Kind[];
  readonly targets = new TargetBook(this);
  /** Real time; what peers' wall clocks show is near it. */
  now = 0;
  #isOver = false;
  readonly #tasks = new TaskOnlooker(this, this.targets);
  readonly #onCommitted: (text: string) => void;
  readonly #peers: readonly PeerId[];
  readonly #checksums = new Map<string, Uint8Array>();
  /** By node: what its disk has been told to keep and has. */
  readonly #disks = new Map<number, StoredEntry[]>();
  /** Terms in which entries became committed, by their place. */
  readonly #committedIn: number[] = [];
  #fresh: NewEntry[] = [];

  constructor(
    machine: Machine,
    {
      peers,
      onCommitted,
      kinds = KINDS,
    }: {
      readonly peers: readonly PeerId[];
      readonly onCommitted: (text: string) => void;
      readonly kinds?: readonly Kind[];
    },
  ) {
    this.#onCommitted = onCommitted;
    this.kinds = kinds;
    this.history = new History(machine);
    this.#peers = peers;
  }

  break(promise: Promised, text: string): void {
    if (!this.broken.has(promise)) this.broken.set(promise, text);
  }

  /** Whether the ledger has it so at this moment, whatever a peer knows of it. */
  isPermitted(task: string, effect: EffectRecord): boolean {
    return isPermittedNow(this.history.tasks.get(task), effect);
  }

  /** A snapshot on a disk is as good as all the entries that it stands for, and nothing else is there. */
  installed(node: number, index: number): void {
    this.#disks.set(
      node,
      this.history.steps.slice(0, index).map(({ entry }) => entry),
    );
  }

  /** A flush came back. */
  flushed(node: number, keep: number, entries: readonly StoredEntry[]): void {
    const disk = (this.#disks.get(node) ?? []).slice(0, keep);
    this.#disks.set(node, [...disk, ...entries]);
    for (const { index, term, checksum } of entries) {
      const key = `${index} ${term}`;
      const other = this.#checksums.get(key) ?? checksum;
      this.#checksums.set(key, other);
      if (!equalBytes(other, checksum))
        this.break("log matching", `two logs differ at ${index} of term ${term}`);
    }
  }

  /** A peer applies an entry. @returns what it changed */
  apply(entry: StoredEntry, by: Applier): Step | undefined {
    const taken = this.history.take(entry);
    if (taken === undefined) {
      this.break("what is committed stays", `${by.node} applies another entry at ${entry.index}`);
      return undefined;
    }
    if (!taken.isNew) return taken.step;
    this.#committedIn.push(by.term);
    this.#fresh.push({ entry, voters: by.voters });
    const sent = this.sent.get(entry.id);
    const text = textOf(taken.step, sent);
    by.note(text);
    this.#onCommitted(text);
    this.#tasks.watch(taken.step, sent);
    return taken.step;
  }

  /** Leader completeness: what earlier terms committed is on its disk. */
  leads(node: number, term: number): void {
    const disk = this.#disks.get(node) ?? [];
    const lost = this.history.steps.find(
      ({ entry }, i) => (this.#committedIn[i] ?? 0) < term && !isSame(disk[i], entry),
    );
    if (lost !== undefined)
      this.break("what is committed stays", `leader ${node} of term ${term} lacks ${lost.entry.index}`);
  }

  /** After each event: what was committed in it is on a majority of disks, and stays there if the power is cut now. */
  check(world: World<unknown>): void {
    this.now = world.now;
    if (this.#fresh.length === 0) return;
    for (const { entry, voters } of this.#fresh) {
      const asked = world.nodes.filter(({ id }) => voters.some((voter) => voter === this.#peers[id]));
      const told = asked.filter(({ id }) => isSame(this.#disks.get(id)?.[entry.index - 1], entry));
      if (2 * told.length > voters.length) continue;
      const holders = asked.filter(
        (node) => told.includes(node) || isKept((file) => node.durable(file), entry),
      );
      if (2 * holders.length <= voters.length)
        this.break(
          "a quorum has what is committed",
          `${entry.index} is committed, and on the disks of ${holders.map(({ id }) => id).join(", ") || "nobody"}`,
        );
    }
    this.#fresh = [];
  }

  /** Near the end, when all that was asked for has come to its end. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.clients.end();
    this.targets.end();
    // A look at every eighth: it costs as much as all the commands did.
    if (this.history.steps.length % 8 === 0 && !this.history.isRepeatable())
      this.break("the same log, the same tasks", "the log gave other tasks the second time");
  }
}

function isSame(own: StoredEntry | undefined, entry: StoredEntry): boolean {
  return own !== undefined && equalBytes(own.checksum, entry.checksum);
}

/** For the trace. */
function textOf({ entry, result, changed }: Step, sent: Sent | undefined): string {
  const name = sent?.command.type ?? "a term";
  const refusal = result?.status === "refused" ? ` refused: ${result.refusal}` : "";
  const now = changed.map(({ id, state, effects = [] }) =>
    [id.slice(0, 6), state, ...effects.map((effect) => `${effect.slot} ${effect.state}`)].join(" "),
  );
  return `committed ${entry.index}: ${name}${refusal} → ${now.join(", ")}`;
}
