/**
 * A config file that is read again and again, whatever stands in its place.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { loadConfig } from "../config/mod.ts";
import { ConfigSource, MAX_CONFIG_BYTES } from "./config_source.ts";

/** Of three bytes each, so that they lie across the places at which a file is read. */
const LETTERS = "€".repeat(100_000);

const TEXT = JSON.stringify({
  interceptors: [{ module: "/x.ts", options: { letters: LETTERS } }],
  routes: [{ path: "/mcp", upstream: { url: "http://127.0.0.1:1/" } }],
});

function sourceOf(file: string): ConfigSource {
  return new ConfigSource(
    file,
    (readTextFile) => loadConfig({ file, needsRoutes: true, readTextFile }),
  );
}

async function withFile(test: (file: string, source: ConfigSource) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/config.json`;
  try {
    await test(file, sourceOf(file));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ConfigSource reads a file of the largest size to its end, and none that is larger", () =>
  withFile(async (file, source) => {
    const rest = MAX_CONFIG_BYTES - new TextEncoder().encode(TEXT).length;
    await Deno.writeTextFile(file, TEXT + " ".repeat(rest));
    assertEquals((await source.load()).interceptors[0]!.options, { letters: LETTERS });
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, TEXT + " ".repeat(rest + 1));
    // It is told once.
    assertEquals(await source.hasChanged(), true);
    await assertRejects(() => source.load(), Error, `more than ${MAX_CONFIG_BYTES} bytes`);
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, TEXT);
    assertEquals(await source.hasChanged(), true);
    assertEquals((await source.load()).routes.length, 1);
  }));

Deno.test({
  name: "ConfigSource reads no device without an end",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFile(async (file, source) => {
      await Deno.symlink("/dev/zero", file);
      await assertRejects(() => source.load(), Error, `more than ${MAX_CONFIG_BYTES} bytes`);
    }),
});

Deno.test("ConfigSource: a file that is gone is no change, and neither is one that is back as it was", () =>
  withFile(async (file, source) => {
    await Deno.writeTextFile(file, TEXT);
    await source.load();
    await Deno.remove(file);
    assertEquals(await source.hasChanged(), false);
    await Deno.mkdir(file);
    assertEquals(await source.hasChanged(), false);
    await Deno.remove(file);
    await Deno.writeTextFile(file, TEXT);
    assertEquals(await source.hasChanged(), false);
    await Deno.writeTextFile(file, `${TEXT} `);
    assertEquals(await source.hasChanged(), true);
  }));
