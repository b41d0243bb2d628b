import { assertEquals } from "@std/assert";
import { isAddress, isPublicAddress } from "./addresses.ts";

Deno.test("R95 isPublicAddress() knows what the public internet has, and nothing else", () => {
  const known = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"];
  for (const address of [...known, "64:ff9b::8.8.8.8"]) {
    assertEquals([address, isPublicAddress(address)], [address, true]);
  }
});

Deno.test("R95 isPublicAddress() refuses private, loopback, link-local, multicast, mapped and reserved ones", () => {
  for (
    const address of [
      "0.0.0.0",
      "10.1.2.3",
      "100.64.0.1",
      "100.127.255.255",
      "127.0.0.1",
      "127.255.255.254",
      // What clouds tell machines about themselves.
      "169.254.169.254",
      "172.16.0.1",
      "172.31.255.255",
      "192.0.2.1",
      "192.168.1.1",
      "198.19.255.255",
      "203.0.113.7",
      "224.0.0.1",
      "239.255.255.255",
      "255.255.255.255",
      "::",
      "::1",
      "::ffff:127.0.0.1",
      "::ffff:10.0.0.1",
      "::ffff:8.8.8.8",
      "::7f00:1",
      "64:ff9b::10.0.0.1",
      "64:ff9b::7f00:1",
      "64:ff9b:1::8.8.8.8",
      "100::1",
      "2001::1",
      "2001:db8::1",
      "2002:7f00:1::",
      "3fff::1",
      "fc00::1",
      "fd12:3456::1",
      "fe80::1",
      "fe80::1%eth0",
      "fec0::1",
      "ff02::1",
      "",
      "localhost",
      "0x7f.1",
      "2130706433",
      "127.1",
      "256.1.1.1",
      "1.1.1.1.1",
      "[2606:4700::1111]",
    ]
  ) assertEquals([address, isPublicAddress(address)], [address, false]);
});

Deno.test("isAddress() tells addresses from names", () => {
  for (const text of ["1.2.3.4", "::1", "2606:4700::1111"]) assertEquals(isAddress(text), true);
  for (const text of ["example.com", "a::b::c", "1.2.3", "x:1"]) {
    assertEquals(isAddress(text), false);
  }
});
