import type { SnapshotHead, SnapshotPart } from "./contract.ts";
import { ProtocolError } from "./errors.ts";
import type { Reply } from "./core/state.ts";
import type { Log } from "./log.ts";
import { BURST, type Request } from "./wire.ts";

type IntakeLog = Pick<Log<unknown, unknown>, "offer" | "install" | "transfers">;

/** What is to be said to the leader next. */
export type Answer = Exclude<Reply, { kind: "fetch" }> | (Request & { kind: "fetch" });

/** Fetches a leader's snapshot, within one session; the next one goes on where it stopped. */
export class Intake {
  readonly #log: IntakeLog;
  readonly #term: number;
  #head: SnapshotHead | undefined;
  #next = 0;
  #asked = 0;

  constructor(log: IntakeLog, term: number) {
    this.#log = log;
    this.#term = term;
  }

  async offered(head: SnapshotHead): Promise<readonly Answer[]> {
    const { index, term, checksum } = head;
    const replies = await this.#log.offer(this.#term, { index, term, checksum });
    if (!replies.some(({ kind }) => kind === "fetch")) return replies.filter(isAnswer);
    this.#head = head;
    this.#next = await this.#log.transfers.begin(head);
    return this.#proceed(head);
  }

  /** @throws ProtocolError when it is not the part that was asked for, or harmed */
  async take(number: number, part: SnapshotPart): Promise<readonly Answer[]> {
    const head = this.#head;
    if (head === undefined || number !== this.#next || number >= this.#asked)
      throw new ProtocolError("a part of a snapshot that was not asked for");
    if (!(await this.#log.transfers.keep(head, number, part)))
      throw new ProtocolError("a part does not continue the snapshot");
    this.#next++;
    return this.#next === this.#asked ? this.#proceed(head) : [];
  }

  end(): void {
    this.#log.transfers.end();
  }

  async #proceed(head: SnapshotHead): Promise<readonly Answer[]> {
    const from = this.#next;
    if (from < head.parts) {
      this.#asked = Math.min(from + BURST, head.parts);
      return [{ kind: "fetch", digest: head.digest, from }];
    }
    this.#head = undefined;
    const replies = await this.#log.install(this.#term, head);
    this.end();
    return replies.filter(isAnswer);
  }
}

function isAnswer(reply: Reply): reply is Exclude<Reply, { kind: "fetch" }> {
  return reply.kind !== "fetch";
}
