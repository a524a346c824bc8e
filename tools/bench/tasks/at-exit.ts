import { constants } from "node:os";

const actions = new Set<() => void>();
let isListening = false;

/** Does what must be done even when this process is told to end in between: nothing of a bench may stay behind. */
export function atExit(action: () => void): Disposable {
  listen();
  actions.add(action);
  return { [Symbol.dispose]: () => void actions.delete(action) };
}

function listen(): void {
  if (isListening) return;
  isListening = true;
  process.once("exit", () => {
    for (const action of actions) action();
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
