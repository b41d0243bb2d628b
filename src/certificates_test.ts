import { assertEquals, assertMatch } from "@std/assert";
import { generateKeyPairSync } from "node:crypto";
import { certificateProblems, readCertificates } from "./certificates.ts";
import { configSchema } from "./config/schema.ts";

const CERTIFICATE = new URL("../fixtures/tls/client.pem", import.meta.url).pathname;

function configOf(tls: unknown, more = {}) {
  const upstream = { url: "https://localhost:1/mcp", tls, ...more };
  return configSchema.parse({ routes: [{ path: "/mcp", upstream }] });
}

Deno.test("certificateProblems() finds keys that would end the process", async () => {
  const curve = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
  const keys: [ReturnType<typeof curve>, RegExp][] = [
    [generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey, /an RSA key of 1024 bits/],
    [curve("secp256k1"), /an EC key on the curve secp256k1/],
    [curve("secp384r1"), /not the key of the certificate in/],
    [generateKeyPairSync("ed25519").privateKey, /not the key of the certificate in/],
    [generateKeyPairSync("x25519").privateKey, /a key of the kind x25519/],
  ];
  const file = await Deno.makeTempFile();
  for (const [key, said] of keys) {
    await Deno.writeTextFile(file, key.export({ type: "pkcs8", format: "pem" }) as string);
    const [problem, ...rest] = certificateProblems(
      configOf({ certFile: CERTIFICATE, keyFile: file }),
    );
    assertEquals([problem?.path, rest], ["routes[0].upstream.tls.keyFile", []]);
    assertMatch(problem!.found, said);
  }
  await Deno.remove(file);
});

Deno.test("certificateProblems() passes over what a program has no use for, and pipes are not read", () => {
  const tls = { caFile: "/no/such", certFile: undefined, keyFile: undefined };
  const program = configSchema.parse({
    routes: [{ path: "/mcp", upstream: { stdio: { command: "x" }, tls } }],
  });
  assertEquals(certificateProblems(program), []);
  const [problem] = certificateProblems(configOf({ caFile: "/dev/zero" }));
  assertMatch(problem!.found, /cannot be read \(it is no regular file\)/);
  assertEquals(readCertificates({}, "x"), { caCerts: [], cert: undefined, key: undefined });
});
