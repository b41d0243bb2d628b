import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { systemClock } from "../clock.ts";
import { KEY_FILE, loadOrMakeSecret } from "./key_file.ts";
import { deriveKey, makeSecret, SealKeyError } from "./seal_key.ts";

const POSIX = Deno.build.os !== "windows";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function load(folder: string): Promise<string> {
  return loadOrMakeSecret(folder, systemClock);
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function permissions(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

async function refused(folder: string, ...words: string[]): Promise<void> {
  const { message } = await assertRejects(() => load(folder), SealKeyError);
  for (const word of [KEY_FILE, ...words]) assert(message.includes(word), message);
}

/** Writes the key file of a folder, for its owner alone if nothing else is said. */
async function writeKey(folder: string, text: string, mode = 0o600): Promise<void> {
  const path = `${folder}/${KEY_FILE}`;
  await Deno.writeTextFile(path, text);
  if (POSIX) await Deno.chmod(path, mode);
}

Deno.test("R76 where there is no secret one is made, kept, and found again", () =>
  withFolder(async (folder) => {
    const data = `${folder}/a/b`;
    const secret = await load(data);
    deriveKey(secret);
    assertEquals(await load(data), secret);
    assertEquals(await names(data), [KEY_FILE]);
    assertNotEquals(await load(`${folder}/c`), secret);
  }));

Deno.test({
  name: "the file and the folders made for it are their owner's alone",
  ignore: !POSIX,
  fn: () =>
    withFolder(async (folder) => {
      await load(`${folder}/a/b`);
      assertEquals(await permissions(`${folder}/a/b/${KEY_FILE}`), 0o600);
      for (const made of ["a", "a/b"]) {
        assertEquals(await permissions(`${folder}/${made}`), 0o700);
      }
    }),
});

Deno.test("all that start at the same time end with the same secret, and leave nothing else", () =>
  withFolder(async (folder) => {
    for (let round = 0; round < 20; round++) {
      const data = `${folder}/${round}`;
      const secrets = await Promise.all(Array.from({ length: 16 }, () => load(data)));
      assertEquals(new Set(secrets).size, 1);
      assertEquals(await load(data), secrets[0]);
      assertEquals(await names(data), [KEY_FILE]);
    }
  }));

Deno.test("a secret that is there is kept as it is, with or without a line break", () =>
  withFolder(async (folder) => {
    const secret = makeSecret(systemClock);
    for (const end of ["", "\n", "\r\n"]) {
      await writeKey(folder, secret + end);
      assertEquals(await load(folder), secret);
      assertEquals(await Deno.readTextFile(`${folder}/${KEY_FILE}`), secret + end);
    }
  }));

Deno.test({
  name: "a file that may only be read is enough",
  ignore: !POSIX,
  fn: () =>
    withFolder(async (folder) => {
      const secret = makeSecret(systemClock);
      await writeKey(folder, secret, 0o400);
      await Deno.chmod(folder, 0o500);
      const loaded = await load(folder).finally(() => Deno.chmod(folder, 0o700));
      assertEquals(loaded, secret);
    }),
});

Deno.test("R76 a file that is empty, too short or too long is refused and left alone", () =>
  withFolder(async (folder) => {
    const texts = ["", "\n", `${"x".repeat(31)}\n`, "x".repeat(1_025), "x".repeat(100_000)];
    for (const text of texts) {
      await writeKey(folder, text);
      await refused(folder, "holds no secret", "remove it");
      assertEquals(await Deno.readTextFile(`${folder}/${KEY_FILE}`), text);
    }
  }));

Deno.test({
  name: "a file that group or others may read or write is refused, and the message tells chmod 600",
  ignore: !POSIX,
  fn: () =>
    withFolder(async (folder) => {
      for (const mode of [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o666]) {
        await writeKey(folder, makeSecret(systemClock), mode);
        await refused(folder, `chmod 600 ${folder}/${KEY_FILE}`);
      }
    }),
});

Deno.test("what is no file is refused", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/${KEY_FILE}`);
    await refused(folder, "is no file");
    await Deno.writeTextFile(`${folder}/plain`, "");
    await refused(`${folder}/plain`, "cannot be read");
  }));

Deno.test({
  name: "a link that leads nowhere is refused",
  ignore: !POSIX,
  fn: () =>
    withFolder(async (folder) => {
      await Deno.symlink(`${folder}/nowhere`, `${folder}/${KEY_FILE}`);
      await refused(folder, "broken link");
      assertEquals(await names(folder), [KEY_FILE]);
    }),
});

const NOWHERE = new URL("./no-such-folder", import.meta.url).pathname;

Deno.test({
  name: "R76 where the file can be read but not made, the message says how to give a secret",
  permissions: { read: true },
  fn: () => refused(NOWHERE, "cannot be made", "in its config", "openssl rand -base64 32"),
});

Deno.test({
  name: "where nothing can be read, the message says so",
  permissions: "none",
  fn: () => refused(NOWHERE, "cannot be read"),
});
