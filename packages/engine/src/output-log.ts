import type { Clean } from "@chorus/kernel";
import type { ExecuteOptions, OutputRedactor } from "./contract.ts";

type StreamName = "stdout" | "stderr";
type RedactingStream = ReturnType<OutputRedactor["stream"]>;

/** Output that has been redacted, in the order in which it was shown. Nothing else of a command is kept. */
export class OutputLog {
  readonly #chunks: Clean<Uint8Array>[] = [];
  readonly #steps: StepOutput[] = [];
  readonly #onOutput: NonNullable<ExecuteOptions["onOutput"]>;

  constructor(onOutput: ExecuteOptions["onOutput"]) {
    this.#onOutput = onOutput ?? (() => undefined);
  }

  /** A command's own part of the log. */
  open(step: number, redactor: OutputRedactor): StepOutput {
    const output = new StepOutput(redactor, async (stream, bytes) => {
      this.#chunks.push(bytes);
      await this.#onOutput({ step, stream, bytes });
    });
    this.#steps.push(output);
    return output;
  }

  /** Secrets that were hidden, in all commands. */
  get redactions(): number {
    return this.#steps.reduce((sum, { redactions }) => sum + redactions, 0);
  }

  /** Everything that `onOutput` was given, put together. */
  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }
}

/** The output of one command: raw bytes go in, redacted ones come out, and the raw ones are only counted. */
export class StepOutput {
  readonly written: Record<StreamName, number> = { stdout: 0, stderr: 0 };
  readonly #streams: Record<StreamName, RedactingStream>;
  readonly #emit: (stream: StreamName, bytes: Clean<Uint8Array>) => Promise<void>;
  #tail = "";

  constructor(
    redactor: OutputRedactor,
    emit: (stream: StreamName, bytes: Clean<Uint8Array>) => Promise<void>,
  ) {
    // A secret may be cut between two chunks of one stream, never between two streams.
    this.#streams = { stdout: redactor.stream(), stderr: redactor.stream() };
    this.#emit = emit;
  }

  async write(stream: StreamName, raw: Uint8Array): Promise<void> {
    this.written[stream] += raw.length;
    await this.#show(stream, this.#streams[stream].push(raw));
  }

  /** Shows what was held back. */
  async end(): Promise<void> {
    await this.#show("stdout", this.#streams.stdout.end());
    await this.#show("stderr", this.#streams.stderr.end());
  }

  /** The last redacted text of both streams, for its summary. */
  get tail(): string {
    return this.#tail;
  }

  get redactions(): number {
    return this.#streams.stdout.findings.length + this.#streams.stderr.findings.length;
  }

  async #show(stream: StreamName, bytes: Clean<Uint8Array>): Promise<void> {
    if (bytes.length === 0) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS);
    await this.#emit(stream, bytes);
  }
}

const TAIL_CHARACTERS = 128 * 1024;
