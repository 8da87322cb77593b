/**
 * Numbers and names as people read them. Sizes read as in every other report of heaphint.
 */

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** A size with three significant digits: `12.3 MiB`. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 999.5 && unit + 1 < UNITS.length) {
    value /= 1024;
    unit += 1;
  }
  const digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A whole number with separators: `1,234,567`. */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number and what it counts: `1 allocation`, `2 allocations`. */
export function counted(number, what) {
  return `${grouped(number)} ${what}${number === 1 ? "" : "s"}`;
}

/** A size to the byte: `1,234,567 bytes`. */
export function exactly(bytes) {
  return counted(bytes, "byte");
}

/** A value of a unit, `bytes` or `count`. */
export function amount(value, unit) {
  return unit === "bytes" ? size(value) : grouped(value);
}

/** A difference of a unit with its sign: `+3.00 MiB`. */
export function difference(earlier, later, unit) {
  return `${later < earlier ? "−" : "+"}${amount(Math.abs(later - earlier), unit)}`;
}

/** What became of a value: `grew`, `shrank`, `appeared`, `went` or `same`. */
export function became(earlier, later) {
  if (earlier === later) return "same";
  if (earlier === 0) return "appeared";
  if (later === 0) return "went";
  return later > earlier ? "grew" : "shrank";
}

/** A part of a whole: `12.3 %`. */
export function share(part, whole) {
  if (!(whole > 0)) return "0 %";
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 0.01) return "< 0.01 %";
  return `${percent >= 99.95 || percent === 0 ? percent.toFixed(0) : percent.toPrecision(percent < 0.1 ? 1 : percent < 1 ? 2 : 3)} %`;
}

/** A number of milliseconds: `1.50 s`, `2 min 5 s`. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

/** A moment, milliseconds since 1970: `2026-11-23 18:47:22 UTC`. */
export function moment(unixMs) {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return "unknown";
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * A name without anything that could mislead the eye: control characters, and those that change the direction of the
 * text around them.
 */
export function printable(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go.
  return text.replace(/\t/g, "    ").replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** A path as one would type it in `directory`. */
export function shortPath(path, directory) {
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  if (directory && path.startsWith(prefix)) return path.slice(prefix.length);
  const packages = Math.max(path.lastIndexOf("/site-packages/"), path.lastIndexOf("/dist-packages/"));
  if (packages >= 0) return path.slice(packages + "/site-packages/".length);
  const library = path.match(/\/lib(?:64)?\/python3\.\d+t?\/(.+)$/);
  return library ? library[1] : path;
}

/** The last part of a path. */
export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}
