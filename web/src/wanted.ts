// What a page gives is looked at before anything is done with it: what cannot be is an
// error that names it, and says what is wanted. Types are no help to who writes JavaScript.
import type { Console, ExecOptions, Options } from "./alpinevm";
import { AlpineVMError, quoted, sentence } from "./errors";

/** What a tab has room for, in MiB. */
const memory = { least: 64, most: 2048 };

const options = ["image", "base", "name", "memory", "engine", "network", "mirrors", "https", "snapshot", "terminal", "onProgress"];
const engines = ["interpreter", "translator", "translator-strict"];

function refuse(what: string, v: unknown, want: string): never {
  throw new AlpineVMError(`${what} ${quoted(v)}: want ${want}`);
}

/** An address, seen from the page. */
function address(what: string, v: unknown, schemes: string[], want: string): URL {
  if (typeof v !== "string" && !(v instanceof URL)) refuse(what, v, want);
  let url: URL;
  try {
    url = new URL(v, location.href);
  } catch {
    refuse(what, v, want);
  }
  if (url.protocol !== location.protocol && !schemes.includes(url.protocol)) refuse(what, v, want);
  return url;
}

const web = ["http:", "https:"];

/** The folder that an address names. */
export function folder(what: "image" | "base", v: unknown): URL {
  const url = address(what, v, web, what === "image" ? "the address of a folder that alpinevm web build has made, such as /machine/" : "the address of the folder that has worker.js, such as /alpinevm/");
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** A name to keep a machine under. */
export function machineName(v: unknown): void {
  if (typeof v !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(v)) refuse("name", v, "letters, digits and . _ -, 63 at most, of which the first is a letter or a digit");
}

function list(what: string, v: unknown, want: string): asserts v is string[] {
  if (!Array.isArray(v) || v.some((s) => typeof s !== "string")) refuse(what, v, want);
}

function network(v: unknown): void {
  const want = `"fetch", "none", or the address of a relay, such as wss://relay.example.org/`;
  if (v === null || v === "fetch" || v === "none") return;
  if (typeof v !== "string" || !/[/:]/.test(v)) refuse("network", v, want);
  address("network", v, ["ws:", "wss:", ...web], want);
}

function mirrors(v: unknown): void {
  const want = `a list of addresses, such as ["https://mirror.example.org/alpine"]`;
  list("mirrors", v, want);
  for (const m of v) address("mirrors", m, web, want);
}

function terminal(v: unknown): void {
  const t = v as Partial<Console> | null;
  const size = (n: unknown) => Number.isInteger(n) && (n as number) > 0;
  if (typeof t?.write !== "function" || typeof t.onData !== "function" || !size(t.cols) || !size(t.rows)) refuse("terminal", v, "an object with write, onData, cols and rows, such as a Terminal of xterm.js");
}

/** Looks at what a machine is to be made of. */
export function checkOptions(o: Options): void {
  if (typeof o !== "object" || o === null) refuse("create", o, `options, such as { image: "/machine/" }`);
  for (const [name, v] of Object.entries(o)) {
    if (!options.includes(name)) throw new AlpineVMError(`there is no option ${quoted(name)}; there are ${options.join(", ")}`);
    if (v === undefined) continue;
    if (name === "name") machineName(v);
    else if (name === "memory") Number.isInteger(v) && v >= memory.least && v <= memory.most || refuse(name, v, `a whole number of MiB from ${memory.least} to ${memory.most}, which is what a tab has room for`);
    else if (name === "engine") engines.includes(v) || refuse(name, v, engines.map(quoted).join(" or "));
    else if (name === "network") network(v);
    else if (name === "mirrors") mirrors(v);
    else if (name === "https") list(name, v, `a list of hosts, such as ["api.example.org", "*.example.net"]`);
    else if (name === "snapshot") v === null || v instanceof Blob || address(name, v, [...web, "blob:", "data:"], "an address, a Blob, or null to boot");
    else if (name === "terminal") terminal(v);
    else if (name === "onProgress") typeof v === "function" || refuse(name, v, "a function");
  }
}

/** Looks at a program that is to be run. */
export function checkExec(args: string[], o: ExecOptions): void {
  list("exec", args, `the program and its arguments in a list, such as ["ls", "-l"]`);
  if (!args.length) throw new AlpineVMError(`exec []: want a program, such as ["ls", "-l"]`);
  if (Array.isArray(o.env)) {
    const none = o.env.find((e: unknown) => typeof e !== "string" || !/^[^=]+=/.test(e));
    if (none !== undefined) refuse("env", none, "NAME=value");
  } else if (o.env && Object.keys(o.env).some((name) => !/^[^=]+$/.test(name))) refuse("env", o.env, "names that are not empty, without =");
  if (o.stdin !== undefined) checkBody("stdin", o.stdin);
}

/** Looks at what is to be sent. */
export function checkBody(what: string, v: unknown): void {
  if (typeof v !== "string" && !(v instanceof Uint8Array) && !(v instanceof ReadableStream)) refuse(what, v, "a string, a Uint8Array or a stream of Uint8Array");
}

/** The name of a file. */
export function checkName(call: string, v: unknown): void {
  if (typeof v !== "string" || v === "") refuse(call, v, "the name of a file, such as /root/a");
}

/** What a file is to have. */
export function bytes(name: string, v: unknown): Uint8Array {
  if (typeof v === "string") return new TextEncoder().encode(v);
  return v instanceof Uint8Array ? v : refuse(`writeFile ${name}`, v, "a string or a Uint8Array");
}

/** The port of a server. */
export function checkPort(v: unknown): void {
  if (!Number.isInteger(v) || (v as number) < 1 || (v as number) > 65535) refuse("port", v, "a whole number from 1 to 65535");
}

/** What a server is asked for, and with which headers. */
export function request(path: unknown, headers: HeadersInit | undefined, body: unknown): [string, string][] {
  if (typeof path !== "string" || !path.startsWith("/")) refuse("fetch", path, "a path, which begins with /");
  if (body !== undefined) checkBody("body", body);
  try {
    return [...new Headers(headers)] as [string, string][];
  } catch (err) {
    throw new AlpineVMError(`headers: ${sentence(err)}`);
  }
}

/** The size of a terminal. */
export function checkSize(cols: unknown, rows: unknown): void {
  for (const n of [cols, rows]) if (!Number.isInteger(n) || (n as number) < 1 || (n as number) > 65535) refuse("resize", n, "whole numbers of columns and rows, from 1 to 65535");
}
