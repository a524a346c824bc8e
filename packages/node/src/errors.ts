import { ChorusError } from "@chorus/kernel";

/** One setting that is wrong. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** The environment does not describe a peer. Every wrong setting is listed, not only the first. */
export class ConfigError extends ChorusError {
  readonly code = "node/invalid-config";
  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ name, problem }) => `  ${name}: ${problem}`);
    super(`the configuration is not valid\n${lines.join("\n")}`, { detail: { problems } });
  }
}

/** The data directory cannot be used. */
export class DataDirectoryError extends ChorusError {
  readonly code = "node/data-directory";
  constructor(directory: string, problem: string, cause?: unknown) {
    super(`the data directory ${directory} ${problem}`, { detail: { directory, problem }, cause });
  }
}

/** The HTTP port cannot be listened on. */
export class ListenError extends ChorusError {
  readonly code = "node/listen";
  constructor(address: string, problem: string, cause?: unknown) {
    super(`cannot listen on ${address}: ${problem}`, { detail: { address, problem }, cause });
  }
}

/** An uploaded input is over the limit; nothing of it was kept. */
export class InputTooLargeError extends ChorusError {
  readonly code = "node/input-too-large";
  constructor(limit: number) {
    super(`the input is larger than ${limit} bytes (CHORUS_INPUT_BYTES)`, { detail: { limit } });
  }
}

/** An uploaded input holds a secret; inputs are copied to other peers, so nothing of it was kept. */
export class SecretFoundError extends ChorusError {
  readonly code = "node/secret-found";
  constructor(rules: readonly string[], offset: number) {
    super(`the input holds a secret (${rules.join(", ")}) at byte ${offset}; leave that file out`, {
      detail: { rules, offset },
    });
  }
}

/** An input's address names nothing that this mesh can reach. */
export class InputMissingError extends ChorusError {
  readonly code = "node/input-missing";
  constructor(address: string) {
    super(`no reachable peer has the input ${address}`, { retryable: true, detail: { address } });
  }
}

/** A pattern names many records, so it cannot be resolved to one. */
export class AddressPatternError extends ChorusError {
  readonly code = "ucxl/pattern";
  constructor() {
    super("the address is a pattern: it lists records and names none");
  }
}

/** A record is known, but it or its signatures cannot be reached now. */
export class RecordMissingError extends ChorusError {
  readonly code = "node/record-missing";
  constructor(cid: string) {
    super(`no reachable peer has all of the record ${cid}`, { retryable: true, detail: { cid } });
  }
}
