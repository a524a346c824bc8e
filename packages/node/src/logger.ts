import { errorCode, type Logger } from "@chorus/kernel";
import type { Sentinel } from "@chorus/shhh";
import { pino } from "pino";

/** Where log lines go, one JSON object a line. */
export interface LogSink {
  write(line: string): void;
}

/** JSON logs through pino; every line passes the secret scanner on its way out. */
export function jsonLogger(level: string, sentinel: Sentinel, sink: LogSink): Logger {
  const destination = { write: (line: string) => sink.write(sentinel.redact(line).text) };
  const base = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: "message",
      formatters: { level: (level) => ({ level }) },
    },
    destination,
  );
  return wrap(base);
}

function wrap(log: pino.Logger): Logger {
  return {
    debug: (message, fields = {}) => log.debug(plain(fields), message),
    info: (message, fields = {}) => log.info(plain(fields), message),
    warn: (message, fields = {}) => log.warn(plain(fields), message),
    error: (message, fields = {}) => log.error(plain(fields), message),
    child: (fields) => wrap(log.child(plain(fields))),
  };
}

/** Errors as data: code, message and stack, with their causes. */
function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value]),
  );
}

function describe(error: Error): object {
  const code = errorCode(error);
  return {
    ...(code === undefined ? {} : { code }),
    message: error.message,
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: describe(error.cause) } : {}),
  };
}
