import { ChorusError } from "@chorus/kernel";

/** No engine answers that reaches the level asked for. */
export class NoEngineError extends ChorusError {
  readonly code = "sandbox/no-engine";
  constructor(wanted: string, reason: string, cause?: unknown) {
    super(`no engine offers ${wanted}: ${reason}`, { retryable: true, detail: { wanted, reason }, cause });
  }
}

/** The image is not on this machine and could not be brought there. */
export class ImageUnavailableError extends ChorusError {
  readonly code = "sandbox/image-unavailable";
  constructor(image: string, reason: string, cause?: unknown) {
    const command = `docker pull ${image}`;
    super(`image ${image} is not available (${reason}); get it with: ${command}`, {
      retryable: true,
      detail: { image, reason, command },
      cause,
    });
  }
}

/** The image breaks a rule of this library or of the caller's policy. */
export class ImageRefusedError extends ChorusError {
  readonly code = "sandbox/image-refused";
  constructor(image: string, reason: string) {
    super(`image ${image} is refused: ${reason}`, { detail: { image, reason } });
  }
}

/** The engine cannot serve this language at all. */
export class UnsupportedByEngineError extends ChorusError {
  readonly code = "sandbox/unsupported-by-engine";
  constructor(engine: string, what: string) {
    super(`the ${engine} engine does not support ${what}`, { detail: { engine, what } });
  }
}

/** The engine answered, but the sandbox did not come up. */
export class StartFailedError extends ChorusError {
  readonly code = "sandbox/start-failed";
  constructor(reason: string, cause?: unknown) {
    super(`the sandbox did not start: ${reason}`, { retryable: true, detail: { reason }, cause });
  }
}

/** An archive on its way in holds what must not enter. */
export class BadArchiveError extends ChorusError {
  readonly code = "sandbox/bad-archive";
  constructor(problem: string, cause?: unknown) {
    super(`the archive was refused: ${problem}`, { detail: { problem }, cause });
  }
}

/** Files could not be brought out whole. What was handed over before is not the whole. */
export class CollectFailedError extends ChorusError {
  readonly code = "sandbox/collect-failed";
  constructor(problem: string, cause?: unknown) {
    super(`the files could not be collected: ${problem}`, { detail: { problem }, cause });
  }
}

/** The container or process behind the sandbox is gone. */
export class SandboxLostError extends ChorusError {
  readonly code = "sandbox/lost";
  constructor(reason: string, cause?: unknown) {
    super(`the sandbox is gone: ${reason}`, { retryable: true, detail: { reason }, cause });
  }
}
