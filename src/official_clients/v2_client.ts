/**
 * What every v2 client of these tests does with the server's notifications and requests.
 *
 * @module
 */

import type { Client } from "@modelcontextprotocol/client";
import type { Answers, Notification } from "./session_client.ts";
import { Inbox } from "./wait.ts";

/** The notifications no handler of the SDK's own takes. */
export function collectNotifications(client: Client): Inbox<Notification> {
  const received = new Inbox<Notification>();
  client.fallbackNotificationHandler = (notification) => {
    received.push(notification);
    return Promise.resolve();
  };
  return received;
}

/** Answers what the server asks for, and tells what it asked. */
export function answerWith(client: Client, answers: Partial<Answers>): Inbox<string> {
  const asked = new Inbox<string>();
  const { sampled, elicited, roots } = answers;
  if (sampled !== undefined) {
    client.setRequestHandler("sampling/createMessage", ({ method }) => {
      asked.push(method);
      const content = { type: "text" as const, text: sampled };
      return { model: "test-model", role: "assistant" as const, content };
    });
  }
  if (elicited !== undefined) {
    client.setRequestHandler("elicitation/create", ({ method }) => {
      asked.push(method);
      return { action: "accept" as const, content: elicited };
    });
  }
  if (roots !== undefined) {
    client.setRequestHandler("roots/list", ({ method }) => {
      asked.push(method);
      return { roots };
    });
  }
  return asked;
}
