import { AckPolicy, jetstream, jetstreamManager, type JsMsg } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";
import { Completions, type OnHeld, type Queue, type Setup } from "./queue.ts";
import { eventually } from "./server.ts";

const DEFAULT_WAIT_MS = 30_000;
const TUNED_WAIT_MS = 5000;
const CONSUMER = "workers";

/** A task is a message of a work queue; it is complete when the cluster has answered its acknowledgement. */
export async function jetstreamQueue(setup: Setup, onHeld: OnHeld): Promise<Queue> {
  const connection = await connect({ servers: [...setup.servers], maxReconnectAttempts: -1 });
  const client = jetstream(connection);
  const waitMs = setup.isTuned === true ? TUNED_WAIT_MS : DEFAULT_WAIT_MS;
  // Three servers that have just met elect a leader for each stream and consumer first.
  await eventually(async () => {
    const manager = await jetstreamManager(connection);
    await manager.consumers.add("bench", {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(waitMs),
      max_ack_pending: 1000,
    });
  });
  const completions = new Completions();
  const consumer = await client.consumers.get("bench", CONSUMER);
  const messages = await consumer.consume({ max_messages: setup.capacity });
  void (async () => {
    for await (const message of messages)
      if (message.subject === "task.hold") hold(message, waitMs, onHeld);
      else void finish(message, completions);
  })();
  const headersOf = (key: string) => ({ msgID: key });
  return {
    ready: async () => undefined,
    async finish(key) {
      await client.publish("task.nothing", key, headersOf(key));
      await completions.of(key);
    },
    async hold(key) {
      await client.publish("task.hold", key, headersOf(key));
    },
  };
}

async function finish(message: JsMsg, completions: Completions): Promise<void> {
  if (await message.ackAck()) completions.settle(message.string());
}

/** A worker that lives says so in time. */
function hold(message: JsMsg, waitMs: number, onHeld: OnHeld): void {
  onHeld(message.string());
  setInterval(() => message.working(), waitMs / 3);
}
