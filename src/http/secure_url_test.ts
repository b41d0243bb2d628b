import { assertEquals } from "@std/assert";
import { isSecureUrl } from "./secure_url.ts";

for (
  const [url, isSecure] of [
    ["https://auth.example.com/a?b", true],
    ["http://localhost:8080/", true],
    ["http://LOCALHOST/", true],
    ["http://127.1.2.3/", true],
    ["http://2130706433/", true],
    ["http://[::1]:1/", true],
    ["http://auth.example.com/", false],
    ["http://localhost.example.com/", false],
    ["http://127.0.0.1.example.com/", false],
    ["http://[::2]/", false],
    ["https://user@auth.example.com/", false],
    ["http://:secret@localhost/", false],
    ["ws://localhost/", false],
    ["file:///etc/passwd", false],
    ["data:,x", false],
    ["http://10.0.0.1/", false],
  ] as const
) {
  Deno.test(`isSecureUrl() is ${isSecure} for ${url}`, () => {
    assertEquals(isSecureUrl(new URL(url)), isSecure);
  });
}
