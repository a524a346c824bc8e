import { openSync, writeSync } from "node:fs";
import type { Logger } from "@chorus/kernel";
import type { VoteState, VoteStore } from "@chorus/election";
import { moment, type PeerRecord, type Vote } from "./history.ts";

export type Write = (record: PeerRecord) => void;

/** Appends to a file. What write(2) has taken outlives the process, and a death of the machine is not tested. */
export function recorder(file: string): Write {
  const descriptor = openSync(file, "a");
  return (record) => {
    writeSync(descriptor, `${JSON.stringify(record)}\n`);
  };
}

/** Writes down what goes to the disk and what comes from it. */
export function recordedStore(store: VoteStore, write: Write): VoteStore {
  return {
    load: async () => {
      const state = await store.load();
      write({ kind: "loaded", at: moment(), ...vote(state ?? { term: 0 }) });
      return state;
    },
    save: async (state) => {
      write({ kind: "saving", at: moment(), ...vote(state) });
      await store.save(state);
      write({ kind: "saved", at: moment(), ...vote(state) });
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

function vote({ term, votedFor }: VoteState): Vote {
  return { term, ...(votedFor === undefined ? {} : { votedFor }) };
}

/** Changes of the role are records of their own, warnings are kept for the reader. */
export function recordedLogger(write: Write): Logger {
  const line =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      const { from, to, cause } = fields;
      if (message === "role changed")
        write({ kind: "role", at: moment(), from: String(from), to: String(to), cause: String(cause) });
      else if (level !== "debug") write({ kind: "log", at: moment(), level, message, fields: plain(fields) });
    };
  const logger: Logger = {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: () => logger,
  };
  return logger;
}

function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  );
}
