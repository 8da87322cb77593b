import * as assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, ProgramNotFound } from "../src/program";

/** The first bytes of an ELF file for the processor number. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write("\x7fELF", 0, "latin1");
  header.writeUInt16LE(machine, 18);
  return header;
}

describe("finding the program", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "heaphint-program-"));
  });
  after(() => rm(folder, { recursive: true }));

  async function place(name: string, content: string | Buffer, mode = 0o755): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content, { mode });
    return path;
  }
  const nowhere = "/nonexistent/heaphint";

  it("prefers the setting, then the extension's own, then the PATH", async () => {
    const program = await place("heaphint", "#!/bin/sh\n");
    const other = await place("other", elf(62));
    assert.equal(await findProgram({ setting: other, bundled: program, path: folder }), other);
    assert.equal(await findProgram({ setting: " ", bundled: other, path: folder }), other);
    assert.equal(await findProgram({ setting: "", bundled: nowhere, path: `/nonexistent:${folder}` }), program);
  });

  it("says that a setting names nothing", () =>
    assert.rejects(findProgram({ setting: nowhere, bundled: nowhere, path: folder }), (error: unknown) => {
      assert.ok(error instanceof ProgramNotFound);
      assert.match(error.message, /^The setting heaphint\.path names \/nonexistent\/heaphint, which does not exist\./);
      return true;
    }));

  it("says that a file is not executable", async () => {
    const plain = await place("plain", "text", 0o644);
    await assert.rejects(findProgram({ setting: plain, bundled: nowhere, path: "" }), /which is not executable/);
  });

  it("says that the program inside is for another machine", async () => {
    const foreign = await place("foreign", elf(183));
    await assert.rejects(
      findProgram({ setting: "", bundled: foreign, path: "/nonexistent" }),
      /foreign is a program for linux arm64, and this machine is linux x64, and no other heaphint was found\. Install/,
    );
  });

  it("falls back to the PATH when the program inside is for another machine", async () => {
    const foreign = await place("foreign", elf(183));
    const program = await place("heaphint", "#!/bin/sh\n");
    assert.equal(await findProgram({ setting: "", bundled: foreign, path: folder }), program);
  });

  it("says that there is no program anywhere", () =>
    assert.rejects(
      findProgram({ setting: "", bundled: nowhere, path: "" }),
      /neither inside this extension nor on the PATH/,
    ));
});
