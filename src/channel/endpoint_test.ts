import { assertEquals, assertThrows } from "@std/assert";
import { ProxyError } from "../errors.ts";
import { endpointPath, MAX_ENDPOINT_BYTES } from "./endpoint.ts";

const CANARY = "canary-0123456789";
const BASE = new URL("http://server.test:8080/a/sse?x=1");
const resolve = (data: string, base = BASE) => endpointPath(new TextEncoder().encode(data), base);

Deno.test("endpointPath() resolves an address against that of the stream", () => {
  assertEquals(resolve("/message?sessionId=7"), "/message?sessionId=7");
  assertEquals(resolve("message?sessionId=7"), "/a/message?sessionId=7");
  assertEquals(resolve("?sessionId=7"), "/a/sse?sessionId=7");
  assertEquals(resolve("http://server.test:8080/m?s=7#part"), "/m?s=7");
  assertEquals(resolve("HTTP://SERVER.test:8080/m"), "/m");
  assertEquals(resolve(" /m\n"), "/m");
  assertEquals(resolve("/m", new URL("https://server.test/sse")), "/m");
});

Deno.test("endpointPath() gives nothing that could end a request line", () => {
  assertEquals(resolve("/m x\r\nhost: evil?s=a b\tc"), "/m%20xhost:%20evil?s=a%20bc");
});

Deno.test("R71 R97 an endpoint on another origin is refused, and not repeated", () => {
  const foreign = [
    `http://evil.test/m?s=${CANARY}`,
    `//evil.test/m?s=${CANARY}`,
    `https://server.test:8080/m?s=${CANARY}`,
    `http://server.test/m?s=${CANARY}`,
    `http://server.test:8081/m?s=${CANARY}`,
    `http://user:${CANARY}@server.test:8080/m`,
    `javascript:${CANARY}`,
    `file:///${CANARY}`,
    `\\\\evil.test/${CANARY}`,
  ];
  for (const data of foreign) {
    const error = assertThrows(() => resolve(data), ProxyError, "another origin");
    assertEquals([error.kind, error.source, error.cause], [
      "upstream_protocol",
      "upstream",
      undefined,
    ]);
    assertEquals(Deno.inspect(error).includes(CANARY), false, data);
  }
});

Deno.test("R97 what is no address, or too long a one, is refused and not repeated", () => {
  const unusable = ["", "  ", `http://[${CANARY}`, `/${CANARY}${"x".repeat(MAX_ENDPOINT_BYTES)}`];
  for (const data of unusable) {
    const error = assertThrows(() => resolve(data), ProxyError, "no usable address");
    assertEquals(Deno.inspect(error).includes(CANARY), false, data);
  }
  assertThrows(() => endpointPath(Uint8Array.of(0x2f, 0xff), BASE), ProxyError, "no usable");
});
