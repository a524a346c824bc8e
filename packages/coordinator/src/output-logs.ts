import { join } from "node:path";
import type { TaskId } from "./contract-task.ts";
import { OutputLog } from "./output-log.ts";
import { makeFolder } from "./private-file.ts";

/** Logs of ended attempts that are kept for readers who come late; a committed attempt's log is an artifact too. */
const KEPT_LOGS = 8;

/** The logs of this peer's attempts: all that run, and the last ones that ended. */
export class OutputLogs implements Disposable {
  readonly #logs = new Map<string, OutputLog>();
  readonly #memoryBytes: number;
  readonly #directory: string | undefined;

  constructor(options: { readonly memoryBytes: number; readonly directory?: string | undefined }) {
    this.#memoryBytes = options.memoryBytes;
    this.#directory = options.directory;
    if (options.directory !== undefined) makeFolder(options.directory);
  }

  open(task: TaskId, attempt: number): OutputLog {
    const name = `${task}.${attempt}`;
    const file = this.#directory === undefined ? {} : { file: join(this.#directory, `${name}.log`) };
    const log = new OutputLog({ memoryBytes: this.#memoryBytes, ...file });
    this.#logs.get(name)?.[Symbol.dispose]();
    this.#logs.set(name, log);
    this.#forgetOldest();
    return log;
  }

  get(task: TaskId, attempt: number): OutputLog | undefined {
    return this.#logs.get(`${task}.${attempt}`);
  }

  [Symbol.dispose](): void {
    for (const log of this.#logs.values()) log[Symbol.dispose]();
    this.#logs.clear();
  }

  #forgetOldest(): void {
    const ended = [...this.#logs].filter(([, log]) => log.ended);
    for (const [name, log] of ended.slice(0, -KEPT_LOGS)) {
      log[Symbol.dispose]();
      this.#logs.delete(name);
    }
  }
}
