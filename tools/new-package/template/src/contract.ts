import type { Clock } from "@chorus/kernel";

/** What it needs from others. */
export interface PaperLanternComponents {
  readonly clock: Pick<Clock, "now">;
}

export interface PaperLanternOptions {
  /** How often it can be lit. @default 1 */
  readonly limit?: number;
}

/** One success of {@link PaperLantern.light}. */
export interface PaperLanternLight {
  /** Milliseconds since the epoch by the injected clock. */
  readonly at: number;
  /** How often it can still be lit. */
  readonly left: number;
}

export interface PaperLantern {
  /**
   * Lights it once.
   * @throws BurntOutError when the limit is reached
   * @throws the signal's reason when cancelled
   */
  light(options: { readonly signal: AbortSignal }): Promise<PaperLanternLight>;
}
