import { type History, isClaim, isEnd, short } from "../history.ts";
import type { EventFact } from "../record.ts";

/** Events are numbered 1, 2, 3 … at every peer, in each of its lives. */
export function checkNumbers(history: History): readonly string[] {
  return history.views().flatMap(({ peer, life, task, events }) => {
    const at = events.findIndex(({ seq }, index) => seq !== index + 1);
    const where = `task ${short(task)} at peer ${peer} (life ${life})`;
    return at < 0 ? [] : [`${where}: event ${events[at]?.seq} where ${at + 1} was due`];
  });
}

/** The same number is the same event everywhere, member for member. The first difference of each view is told. */
export function checkSame(history: History): readonly string[] {
  const first = new Map<string, { readonly peer: string; readonly text: string }>();
  return history.views().flatMap(({ peer, task, events }) => {
    const differing = events.flatMap((event) => {
      const name = `${task} ${event.seq}`;
      const text = canonical(event);
      const known = first.get(name);
      if (known === undefined) first.set(name, { peer, text });
      return known === undefined || known.text === text ? [] : [{ seq: event.seq, at: known.peer }];
    });
    const [one] = differing;
    if (one === undefined) return [];
    return [`task ${short(task)}: event ${one.seq} differs at peers ${one.at} and ${peer}`];
  });
}

/** Whoever was there at the end has seen as much as anybody had until then. */
export function checkWhole(history: History): readonly string[] {
  const until = Math.max(...history.all("end").map(({ at }) => at));
  const due = new Map<string, number>();
  for (const { at, event } of history.all("event"))
    if (at <= until) due.set(event.taskId, Math.max(event.seq, due.get(event.taskId) ?? 0));
  return history.final().flatMap(({ peer, views }) => {
    const seen = new Map(views.map(({ task, events }) => [task, events.length]));
    return [...due].flatMap(([task, count]) =>
      (seen.get(task) ?? 0) < count
        ? [`task ${short(task)}: peer ${peer} has ${seen.get(task) ?? 0} of ${count} events at the end`]
        : [],
    );
  });
}

/** A task's life makes sense: one holder at a time, work under a lease only, one end and no work after it. */
export function checkLives(history: History): readonly string[] {
  return [...history.tasks()].flatMap(([task, events]) => {
    const life = new TaskLife();
    return events.flatMap((event) => life.step(event).map((text) => `task ${short(task)}: ${text}`));
  });
}

class TaskLife {
  #holder: EventFact | undefined;
  #end: EventFact | undefined;
  #attempt = 0;

  step(event: EventFact): readonly string[] {
    const found = [...this.#order(event), ...this.#lease(event)];
    if (isClaim(event.type)) {
      this.#holder = event;
      this.#attempt = event.attempt ?? this.#attempt + 1;
    }
    if (event.type === "task-released") this.#holder = undefined;
    if (isEnd(event)) {
      this.#holder = undefined;
      this.#end ??= event;
    }
    return found;
  }

  #order(event: EventFact): readonly string[] {
    const { seq, type } = event;
    if ((type === "task-submitted") !== (seq === 1)) return [`event ${seq} is ${type}`];
    if (this.#end === undefined) return [];
    if (isEnd(event)) return [`ended twice: ${this.#end.type} as event ${this.#end.seq}, ${type} as ${seq}`];
    return WORK.includes(type) ? [`${type} as event ${seq}, after the end`] : [];
  }

  #lease({ seq, type, attempt }: EventFact): readonly string[] {
    if (this.#end !== undefined) return [];
    if (isClaim(type)) {
      // Who takes a task over takes it from its holder.
      if (this.#holder !== undefined && type === "task-claimed")
        return [`two winners: event ${seq} claims what event ${this.#holder.seq} holds`];
      const due = this.#attempt + 1;
      return attempt === undefined || attempt === due
        ? []
        : [`attempt ${attempt} as event ${seq}, ${due} was due`];
    }
    if (!UNDER_LEASE.includes(type)) return [];
    if (this.#holder === undefined) return [`${type} as event ${seq}, without a lease`];
    if (attempt === undefined || attempt === this.#attempt) return [];
    return [`${type} of attempt ${attempt} as event ${seq}, in attempt ${this.#attempt}`];
  }
}

const UNDER_LEASE = ["task-progressed", "task-completed", "task-failed"];
const WORK = ["task-claimed", "task-taken-over", "task-progressed", "task-released"];

/** The order of members is the writer's own affair. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
