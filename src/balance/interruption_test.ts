import { assertEquals } from "@std/assert";
import { Interruption } from "./interruption.ts";

Deno.test("an interruption tells once, whoever is first, and of the client as it was", () => {
  for (const first of ["client", "cut"]) {
    const client = new AbortController();
    const interruption = new Interruption(client.signal);
    const told: string[] = [];
    interruption.addEventListener("abort", () => told.push("a"), { once: true });
    const gone = () => told.push("b");
    interruption.addEventListener("abort", gone);
    interruption.removeEventListener("abort", gone);
    assertEquals(interruption.aborted, false);
    if (first === "client") client.abort();
    interruption.cut();
    client.abort();
    interruption.cut();
    assertEquals([told, interruption.aborted], [["a"], true]);
    assertEquals(interruption.isCut, first === "cut");
  }
});
