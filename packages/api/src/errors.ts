import { ChorusError } from "@chorus/kernel";

/** The options would make an unsafe server; `detail.option` names the one to change. */
export class ApiOptionsError extends ChorusError {
  readonly code = "api/invalid-options";
  constructor(option: string, problem: string) {
    super(`${option} ${problem}`, { detail: { option } });
  }
}
