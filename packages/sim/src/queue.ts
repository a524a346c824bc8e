/** What is going to happen, soonest first; what was added first goes first among equals. */
export interface Queue<Item> {
  add(at: number, item: Item): void;
  /** @returns undefined when nothing is left until then */
  takeUntil(end: number): { readonly at: number; readonly item: Item } | undefined;
}

interface Entry<Item> {
  readonly at: number;
  readonly order: number;
  readonly item: Item;
}

/** A binary heap: at thousands of events a run, this is where a slow choice would cost most. */
export function queue<Item>(): Queue<Item> {
  const heap: Entry<Item>[] = [];
  let order = 0;
  return {
    add(at, item) {
      const entry = { at, order: order++, item };
      let hole = heap.length;
      heap.push(entry);
      while (hole > 0) {
        const above = (hole - 1) >> 1;
        const parent = heap[above];
        if (parent === undefined || before(parent, entry)) break;
        heap[hole] = parent;
        hole = above;
      }
      heap[hole] = entry;
    },
    takeUntil(end) {
      const [first] = heap;
      if (first === undefined || first.at > end) return undefined;
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) sink(heap, last);
      return first;
    },
  };
}

function sink<Item>(heap: Entry<Item>[], entry: Entry<Item>): void {
  let hole = 0;
  for (;;) {
    const left = 2 * hole + 1;
    const one = heap[left];
    if (one === undefined) break;
    const other = heap[left + 1];
    const right = other !== undefined && before(other, one);
    const child = right ? other : one;
    if (before(entry, child)) break;
    heap[hole] = child;
    hole = right ? left + 1 : left;
  }
  heap[hole] = entry;
}

function before<Item>(a: Entry<Item>, b: Entry<Item>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
