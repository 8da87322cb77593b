/**
 * Finds the `heaphint` program: the setting, the one inside this extension, the `PATH`.
 *
 * Knows nothing of VS Code, and starts nothing: whether a program can run here is read from its first bytes.
 */
import { constants } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** No usable program; the message says what to do. */
export class ProgramNotFound extends Error {}

export interface Places {
  /** The setting `heaphint.path`, empty when not set. */
  setting: string;
  /** Where the program is inside the extension, when this build of the extension holds one. */
  bundled: string;
  /** The variable `PATH`. */
  path: string;
}

/**
 * @returns the absolute path of a program that can run on this machine
 * @throws ProgramNotFound
 */
export async function findProgram(places: Places): Promise<string> {
  const setting = places.setting.trim().replace(/^~(?=\/|$)/, homedir());
  if (setting !== "") {
    const problem = await problemOf(setting);
    if (problem !== undefined) {
      throw new ProgramNotFound(
        `The setting heaphint.path names ${setting}, which ${problem}. Correct the setting, or empty it to use the program inside the extension.`,
      );
    }
    return setting;
  }
  const candidates = [places.bundled, ...onPath(places.path)];
  let unusable: string | undefined;
  for (const candidate of candidates) {
    const problem = await problemOf(candidate);
    if (problem === undefined) {
      return candidate;
    }
    if (problem !== MISSING) {
      unusable ??= `${candidate} ${problem}`;
    }
  }
  const advice = "Install heaphint for this machine, then put it on the PATH or name it in the setting heaphint.path.";
  throw new ProgramNotFound(
    unusable === undefined
      ? `The heaphint program is neither inside this extension nor on the PATH. ${advice}`
      : `${unusable}, and no other heaphint was found. ${advice}`,
  );
}

const MISSING = "does not exist";

function onPath(path: string): string[] {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, "heaphint"));
}

/** Why `path` cannot be started here, as the rest of a sentence; undefined when it can. */
async function problemOf(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) {
      return "is not a file";
    }
    await access(path, constants.X_OK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? "is not executable" : MISSING;
  }
  return platformProblem(path);
}

/** `e_machine` of an ELF header, in Node's words. */
const ELF_MACHINES: ReadonlyMap<number, string> = new Map([
  [62, "x64"],
  [183, "arm64"],
]);

/** A vsix made for another platform installs without complaint; its program would fail with "Exec format error". */
async function platformProblem(path: string): Promise<string | undefined> {
  const header = Buffer.alloc(20);
  const file = await open(path, "r");
  try {
    await file.read(header, 0, header.length, 0);
  } finally {
    await file.close();
  }
  const here = `${process.platform} ${process.arch}`;
  if (header.subarray(0, 4).toString("latin1") !== "\x7fELF") {
    // A script that starts the program may stand in for it.
    return header.subarray(0, 2).toString("latin1") === "#!" ? undefined : `is no program for ${here}`;
  }
  const machine = ELF_MACHINES.get(header.readUInt16LE(18)) ?? "another processor";
  return process.platform === "linux" && process.arch === machine
    ? undefined
    : `is a program for linux ${machine}, and this machine is ${here}`;
}
