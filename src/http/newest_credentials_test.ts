import { assertEquals } from "@std/assert";
import { Fields } from "./fields.ts";
import { NewestCredentials } from "./newest_credentials.ts";

const SESSION = {};
const first = new Fields(["accept", "a", "authorization", "Bearer 1", "cookie", "c=1"]);

Deno.test("renew() puts the newest credentials in place of the first, and leaves all else", () => {
  const credentials = new NewestCredentials();
  assertEquals(credentials.renew(SESSION, first), first);
  credentials.note(SESSION, first);
  credentials.note(SESSION, new Fields(["accept", "b", "authorization", "Bearer 2"]));
  credentials.note(SESSION, new Fields(["accept", "c"]));
  credentials.note({}, new Fields(["authorization", "Bearer of another"]));
  const renewed = credentials.renew(SESSION, first);
  const values = ["accept", "authorization", "cookie"].map((name) => renewed.get(name));
  assertEquals(values, ["a", "Bearer 2", "c=1"]);
  assertEquals(first.get("authorization"), "Bearer 1");
});
