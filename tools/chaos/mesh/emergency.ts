/** Work that has to be done even when this process is ended in the middle; it must not wait for anything. */
const pending = new Set<() => void>();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Until it is disposed, `work` is done when this process exits or is ended by a signal. */
export function inEmergency(work: () => void): Disposable {
  if (pending.size === 0) {
    process.on("exit", doAll);
    for (const signal of SIGNALS) process.on(signal, end);
  }
  pending.add(work);
  return {
    [Symbol.dispose]: () => {
      pending.delete(work);
      if (pending.size === 0) forget();
    },
  };
}

function doAll(): void {
  for (const work of pending) {
    pending.delete(work);
    try {
      work();
    } catch (error) {
      console.error(error);
    }
  }
}

/** Ends as if nobody had listened. */
function end(signal: NodeJS.Signals): void {
  doAll();
  forget();
  process.kill(process.pid, signal);
}

function forget(): void {
  process.off("exit", doAll);
  for (const signal of SIGNALS) process.off(signal, end);
}
