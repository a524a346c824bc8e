/**
 * Aho-Corasick over all anchors at once: one table look-up for each character, whatever the number of anchors.
 *
 * Characters that occur in no anchor share one class, which keeps the table small enough for the cache. Units
 * from 128 up are folded together: a false hit there costs one comparison in the verifier and hides nothing.
 */
export interface Automaton {
  /** Class of each UTF-16 unit. */
  readonly classes: Uint8Array;
  /** Next state for `state + class`; the complement (negative) where an anchor ends in that state. */
  readonly next: Int32Array;
  /** Anchors that end in a state, longest first. */
  outputs(state: number): readonly number[];
  /** Length of the longest beginning of an anchor that ends here. */
  depth(state: number): number;
}

interface Trie {
  readonly next: Map<number, number>[];
  readonly ends: number[][];
  readonly depths: number[];
}

/** @param anchors not empty; the automaton names them by index */
export function buildAutomaton(anchors: readonly string[]): Automaton {
  const classes = classify(anchors);
  const width = classes.reduce((most, value) => Math.max(most, value), 0) + 1;
  const trie = buildTrie(anchors, classes);
  const next = multiplied(linkFailures(trie, width), trie, width);
  return {
    classes,
    next,
    outputs: (state) => trie.ends[state / width] ?? [],
    depth: (state) => trie.depths[state / width] ?? 0,
  };
}

/** Turns the trie into a complete transition table, and adds to each state the anchors that end in its suffixes. */
function linkFailures(trie: Trie, width: number): Int32Array {
  const next = new Int32Array(trie.next.length * width);
  const fail = new Int32Array(trie.next.length);
  for (const state of breadthFirst(trie)) {
    const back = fail[state] ?? 0;
    const children = trie.next[state];
    if (state !== 0) trie.ends[state]?.push(...(trie.ends[back] ?? []));
    if (state !== 0) next.copyWithin(state * width, back * width, (back + 1) * width);
    for (const [cls, child] of children ?? []) {
      fail[child] = next[state * width + cls] ?? 0;
      next[state * width + cls] = child;
    }
  }
  return next;
}

/** Names states by their row, so that the loop adds and never multiplies, and marks those where an anchor ends. */
function multiplied(next: Int32Array, trie: Trie, width: number): Int32Array {
  return next.map((target) => (trie.ends[target]?.length === 0 ? target * width : ~(target * width)));
}

function fold(unit: number): number {
  return unit < 128 ? unit : 128 + (unit & 63);
}

function classify(anchors: readonly string[]): Uint8Array {
  const byFold = new Map<number, number>();
  for (const anchor of anchors)
    for (let i = 0; i < anchor.length; i++) {
      const folded = fold(anchor.charCodeAt(i));
      if (!byFold.has(folded)) byFold.set(folded, byFold.size + 1);
    }
  return Uint8Array.from({ length: 65_536 }, (_, unit) => byFold.get(fold(unit)) ?? 0);
}

function buildTrie(anchors: readonly string[], classes: Uint8Array): Trie {
  const trie: Trie = { next: [new Map()], ends: [[]], depths: [0] };
  for (const [index, anchor] of anchors.entries()) {
    let state = 0;
    for (let i = 0; i < anchor.length; i++) {
      const cls = classes[anchor.charCodeAt(i)] ?? 0;
      let child = trie.next[state]?.get(cls);
      if (child === undefined) {
        child = trie.next.length;
        trie.next[state]?.set(cls, child);
        trie.next.push(new Map());
        trie.ends.push([]);
        trie.depths.push(i + 1);
      }
      state = child;
    }
    trie.ends[state]?.push(index);
  }
  return trie;
}

function breadthFirst(trie: Trie): number[] {
  const order = [0];
  for (const state of order) order.push(...(trie.next[state]?.values() ?? []));
  return order;
}
