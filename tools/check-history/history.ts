import type { Answer, Call, EventFact, HistoryRecord, Seen } from "./record.ts";

/** What one life of a peer has seen of one task, in the order in which it saw it. */
export interface View {
  readonly peer: string;
  readonly life: number;
  readonly task: string;
  readonly events: readonly EventFact[];
}

/** A history, looked up in the ways that the checks need. */
export class History {
  readonly #records: readonly HistoryRecord[];
  readonly #views: readonly View[];
  readonly #answers: ReadonlyMap<string, Answer>;

  constructor(records: readonly HistoryRecord[]) {
    this.#records = records;
    this.#views = viewsOf(this.all("event"));
    this.#answers = new Map(this.all("answer").map((answer) => [answer.call, answer]));
  }

  all<K extends HistoryRecord["kind"]>(kind: K): readonly Extract<HistoryRecord, { readonly kind: K }>[] {
    return this.#records.filter(
      (record): record is Extract<HistoryRecord, { readonly kind: K }> => record.kind === kind,
    );
  }

  /** Every answered call, with its answer. */
  answered(): readonly { readonly call: Call; readonly answer: Answer }[] {
    return this.all("call").flatMap((call) => {
      const answer = this.#answers.get(call.call);
      return answer === undefined ? [] : [{ call, answer }];
    });
  }

  /** Calls that were accepted, committed or pending, with the task that they were told. */
  acknowledged(): readonly { readonly call: Call; readonly task: string }[] {
    return this.answered().flatMap(({ call, answer: { status, task } }) =>
      status === "refused" || task === undefined ? [] : [{ call, task }],
    );
  }

  views(): readonly View[] {
    return this.#views;
  }

  /** The longest that anybody has seen of each task. All views have to agree with it. */
  tasks(): ReadonlyMap<string, readonly EventFact[]> {
    const longest = new Map<string, readonly EventFact[]>();
    for (const { task, events } of this.#views)
      if (events.length > (longest.get(task)?.length ?? 0)) longest.set(task, events);
    return longest;
  }

  /** The last life of a peer that is held to have seen everything. */
  final(): readonly { readonly peer: string; readonly views: readonly View[] }[] {
    const peers = new Set(this.all("end").flatMap((end) => end.peers));
    return [...peers].map((peer) => {
      const life = Math.max(
        0,
        ...this.all("life").flatMap((record) => (record.peer === peer ? [record.life] : [])),
      );
      return { peer, views: this.#views.filter((view) => view.peer === peer && view.life === life) };
    });
  }
}

function viewsOf(seen: readonly Seen[]): readonly View[] {
  const views = new Map<string, View & { readonly events: EventFact[] }>();
  for (const { peer, life, event } of seen) {
    const name = `${peer} ${life} ${event.taskId}`;
    const view = views.get(name) ?? { peer, life, task: event.taskId, events: [] };
    view.events.push(event);
    views.set(name, view);
  }
  return [...views.values()];
}

const ENDS = [
  "task-completed",
  "task-failed",
  "task-canceled",
  "task-dead-lettered",
  "task-rejected",
  "task-expired",
];

/** Whether a task is over with this event. What comes after it may add facts about the past, and no work. */
export function isEnd({ type }: EventFact): boolean {
  return ENDS.includes(type);
}

/** Whether a lease begins with an event of this type, and with it a token. */
export function isClaim(type: string): boolean {
  return type === "task-claimed" || type === "task-taken-over";
}

/** Tasks have long names. */
export function short(task: string): string {
  return task.slice(0, 8);
}
