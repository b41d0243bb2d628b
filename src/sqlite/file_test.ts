import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type FileKind, openFile, SqliteFileError } from "./mod.ts";

const KIND: FileKind = {
  name: "shelf",
  applicationId: 0x53575858,
  version: 3,
  schema: "CREATE TABLE book (title TEXT NOT NULL) STRICT;",
};

/** Registers a test that gets the path of a file in a folder of its own. */
function test(name: string, run: (path: string) => void): void {
  Deno.test(name, () => {
    const directory = Deno.makeTempDirSync();
    try {
      run(`${directory}/shelf.db`);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

function inFile(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

test("openFile() makes the tables once, and finds them again", (path) => {
  const made = openFile(KIND, path);
  made.exec("INSERT INTO book VALUES ('one')");
  made.close();
  const found = openFile(KIND, path);
  assertEquals(found.prepare("SELECT title FROM book").all().map(({ title }) => title), ["one"]);
  assertEquals(found.prepare("PRAGMA user_version").get()!.user_version, 3);
  assertEquals(found.prepare("PRAGMA journal_mode").get()!.journal_mode, "wal");
  found.close();
});

test("openFile() makes a file that other users may not read", (path) => {
  const database = openFile(KIND, path);
  database.exec("INSERT INTO book VALUES ('one')");
  for (const name of [path, `${path}-wal`]) {
    assertEquals(Deno.statSync(name).mode! & 0o777, 0o600, name);
  }
  database.close();
});

test("openFile() refuses what is not its own, with the reason and the file", (path) => {
  const refused = (part: string, at = path) => {
    const error = assertThrows(() => openFile(KIND, at, 50).close(), SqliteFileError);
    assertStringIncludes(error.message, at);
    assertStringIncludes(error.message, part);
  };
  Deno.writeTextFileSync(path, "This is a text and no database.\n".repeat(100));
  refused("The shelf");
  refused("it is a file of something else");
  Deno.removeSync(path);

  inFile(path, "CREATE TABLE t (a); PRAGMA user_version = 1");
  refused("is a database, but not a shelf; name another file.");
  Deno.removeSync(path);

  openFile(KIND, path).close();
  inFile(path, "PRAGMA user_version = 4");
  refused("is of version 4, from a newer Switchyard; this one reads version 3");
  Deno.removeSync(path);

  const holder = openFile(KIND, path);
  refused("another process has it open");
  holder.close();
  openFile(KIND, path, 50).close();

  refused("cannot be opened: ", `${path}/inside.db`);
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  refused("cannot be opened: ");
});
