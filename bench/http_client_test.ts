import { assertEquals, assertRejects } from "@std/assert";
import { ExchangeError, HttpClient, Watchdog } from "./http_client.ts";
import { postBytes } from "./mcp_messages.ts";

/** Serves one connection with one answer for each read, and gives a client before it. */
async function withClient(
  answers: readonly string[],
  use: (client: HttpClient, request: Uint8Array) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = { hostname: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port, path: "/" };
  const watchdog = new Watchdog();
  const accepted = listener.accept();
  const client = await HttpClient.connect(endpoint, watchdog, 50);
  const connection = await accepted;
  const served = (async () => {
    const buffer = new Uint8Array(4096);
    for (const answer of answers) {
      await connection.read(buffer);
      await connection.write(new TextEncoder().encode(answer));
    }
    // Holds the connection open until the client goes.
    while (await connection.read(buffer).catch(() => null) !== null);
  })();
  try {
    await use(client, postBytes(endpoint, "{}", undefined));
  } finally {
    watchdog.close();
    await served;
    connection.close();
    listener.close();
  }
}

Deno.test("HttpClient makes one exchange after the other on one connection", async () => {
  const first = "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nMcp-Session-Id: a\r\n" +
    "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  const second = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
  await withClient([first, second], async (client, request) => {
    const answer = await client.exchange(request);
    assertEquals(answer, { status: 200, contentType: "text/x", sessionId: "a" });
    assertEquals(client.body.text(), "ab");
    assertEquals((await client.exchange(request)).status, 202);
    assertEquals(client.body.length, 0);
  });
});

Deno.test("HttpClient ends an exchange at its deadline", async () => {
  await withClient([], async (client, request) => {
    await assertRejects(() => client.exchange(request), ExchangeError, "within 50 ms");
  });
});

Deno.test("HttpClient refuses an answer that ends keep-alive or has no framing", async () => {
  const close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  await withClient([close], async (client, request) => {
    await assertRejects(() => client.exchange(request), ExchangeError, "connection: close");
  });
  await withClient(["HTTP/1.1 200 OK\r\n\r\n"], async (client, request) => {
    await assertRejects(() => client.exchange(request), ExchangeError, "without body framing");
  });
});
