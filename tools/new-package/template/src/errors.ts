import { ChorusError } from "@chorus/kernel";

/** It was lit as often as its limit allows. */
export class BurntOutError extends ChorusError {
  readonly code = "paper-lantern/burnt-out";
  constructor(limit: number) {
    super(`the limit of ${limit} is reached`, { detail: { limit } });
  }
}
