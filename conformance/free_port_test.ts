import { assert } from "@std/assert";
import { freePort } from "./free_port.ts";

Deno.test("a free port can be listened on, and none is given out to who asks for any", () => {
  for (let count = 0; count < 100; count++) {
    const port = freePort();
    using _listener = Deno.listen({ hostname: "127.0.0.1", port });
    using any = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    assert(port < 32_768 && any.addr.port >= 32_768, `${port} and ${any.addr.port}`);
  }
});
