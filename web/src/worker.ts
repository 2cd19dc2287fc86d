// The dedicated worker that runs one machine. It gets the program, gives it the files
// that it asks for, and passes messages on.
import { Chunks } from "./chunks";
import { sentence } from "./errors";
import { openFiles, type Handle } from "./files";
import { translator } from "./jit.mjs";
import { tidy } from "./tidy";
import type { FromMachine, NetworkState, StartMessage, ToMachine } from "./protocol";

declare const Go: new () => { importObject: WebAssembly.Imports; run(instance: WebAssembly.Instance): Promise<void>; exit(code: number): void };
/** What the program writes to, when it dies. */
declare const fs: { writeSync(fd: number, data: Uint8Array): number };

/** The guest's way out, as the program has it. */
interface Way {
  way: NetworkState["way"];
  relay?: string;
  /** What of its HTTP is fetched by https, and what stands for Alpine's own server. */
  https?: string[];
  mirrors?: string[];
  secure?: boolean;
}

interface Port {
  machine: string;
  memory?: number;
  terminal?: { cols: number; rows: number };
  network: Way;
  files?: Record<string, Handle>;
  free?: number;
  engine?: string;
  name?: string;
  /** What to import. */
  archive?: File;
  /** What to go on from; without it, and without boot, that is the site's booted kernel. */
  snapshot?: "site" | File;
  boot: boolean;
  get(name: string, again: boolean): Promise<Uint8Array>;
  send(message: FromMachine): void;
  receive?(message: ToMachine): void;
}

/** How long a server may say nothing, in milliseconds. */
const patience = 60_000;

/** Whether the page has heard how it ended. */
let over = false;

function tell(m: FromMachine): void {
  over ||= m.type === "exit" || m.type === "error" || m.type === "imported";
  self.postMessage(m);
}

/** Has the page told why the program has died, if it does. */
function watch(go: InstanceType<typeof Go>): void {
  let said = ""; // which comes in small parts
  const write = fs.writeSync;
  fs.writeSync = (fd, data) => {
    if (said.length < 10_000) said += new TextDecoder().decode(data);
    return write.call(fs, fd, data);
  };
  go.exit = (code) => {
    if (over) return;
    const why = /^(?:fatal error|panic): (.*)/m.exec(said)?.[1];
    const todo = /out of memory|cannot allocate/.test(said) ? "Close other tabs, or give the guest less." : "This should not be; the browser's console says more.";
    tell({ type: "error", text: `The machine has stopped: ${why || `its program has ended with ${code}`}. ${todo}` });
  };
}

/** What the site says of the machine. */
async function description(url: string): Promise<[string, Machine]> {
  const todo = "the option image is to name a folder that alpinevm web build has made, with all its files";
  const text = await (await got(url, "the machine's description", todo)).text();
  try {
    return [text, JSON.parse(text) as Machine];
  } catch {
    throw new Error(`the machine's description, ${url}, is none; ${todo}`);
  }
}

/** Gets a file, with a sentence where it cannot: what it is, and what to do where it is not there. */
async function got(url: string, what: string, todo: string): Promise<Response> {
  let response: Response;
  const slow = new AbortController();
  const late = setTimeout(() => slow.abort(), patience);
  try {
    response = await fetch(url, { signal: slow.signal });
  } catch {
    const why = slow.signal.aborted ? `has not come: the server has said nothing for ${patience / 1000} s` : "cannot be reached";
    throw new Error(`${what}, ${url}, ${why}; look whether the server still runs, and reload the page`);
  } finally {
    clearTimeout(late);
  }
  if (!response.ok) throw new Error(`${what}, ${url}: the server says ${response.status} ${response.statusText}; ${todo}`);
  if (response.headers.get("Content-Type")?.startsWith("text/html")) throw new Error(`${what}, ${url}: the server gives a page in its place; ${todo}`);
  return response;
}

/** The same response, of which it is told how much has come. It fails when nothing has for long. */
function counted(response: Response): Response {
  const total = Number(response.headers.get("X-Size") ?? response.headers.get("Content-Length") ?? 0);
  let done = 0;
  let late: ReturnType<typeof setTimeout>;
  const body = response.body!.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start: (to) => void (late = setTimeout(() => to.error(stopped(response.url)), patience)),
      flush: () => clearTimeout(late),
      transform(part, to) {
        clearTimeout(late);
        late = setTimeout(() => to.error(stopped(response.url)), patience);
        done += part.length;
        tell({ type: "progress", done, total });
        to.enqueue(part);
      },
    }),
  );
  return new Response(body);
}

const stopped = (url: string) => new Error(`${url} has not come to its end: the server has sent nothing for ${patience / 1000} s; look whether it still runs, and reload the page`);

async function compiled(url: string, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  let response = await got(url, "the program", "the files of the package alpinevm are not all there, where the option base says");
  // The service worker gives it unpacked. The browser keeps what it has compiled of that, if nothing stands between.
  if (response.headers.get("Content-Type") !== "application/wasm") {
    const plain = counted(response).body!.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
    response = new Response(plain, { headers: { "Content-Type": "application/wasm" } });
  }
  try {
    return (await WebAssembly.instantiateStreaming(response, imports)).instance;
  } catch (err) {
    throw new Error(`the program, ${url}, cannot be used: ${sentence(err)}`);
  }
}

/** What the machine is described by, as far as it is of interest here. */
interface Machine {
  memory: number;
  network?: { relay?: string; fetch?: boolean; https?: string[]; mirrors?: string[] };
  snapshot?: { chunks: string[] };
  booted?: unknown;
  ahead?: { boot?: string[]; booted?: string[]; snapshot?: string[]; commands?: string[] };
}

/** A file that is read now. */
interface File {
  size: number;
  read(at: number, n: number): Uint8Array;
}

function readable(blob: Blob): File {
  const reader = new FileReaderSync();
  return { size: blob.size, read: (at, n) => new Uint8Array(reader.readAsArrayBuffer(blob.slice(at, at + n))) };
}

/** Whether the page wants the memory that the site says. */
const usual = (m: StartMessage, machine: Machine) => (m.memory ?? machine.memory >> 20) === machine.memory >> 20;

/** What the machine goes on from: what the page names, or what the site has where that fits what the page asks for. */
async function snapshot(m: StartMessage, machine: Machine, fresh: boolean): Promise<Port["snapshot"]> {
  if (m.snapshot === null) return undefined;
  if (m.snapshot === undefined) return machine.snapshot && m.terminal && fresh && usual(m, machine) ? "site" : undefined;
  if (typeof m.snapshot !== "string") return readable(m.snapshot);
  tell({ type: "phase", text: "loading the snapshot" });
  try {
    return readable(await counted(await got(m.snapshot, "its file", "look whether its address is right")).blob());
  } catch (err) {
    tell({ type: "notice", text: `The snapshot cannot be used: ${sentence(err)}. The machine boots.` });
    return undefined;
  }
}

/** The parts of files that the start is going to read, and what the first commands are likely to. */
function ahead(m: StartMessage, machine: Machine, from: Port["snapshot"]): [string[], string[]] {
  const { boot = [], booted = [], snapshot = [], commands = [] } = machine.ahead ?? {};
  if (m.archive) return [[], []];
  if (from === "site") return [snapshot, commands];
  if (from) return [snapshot.filter((name) => !machine.snapshot?.chunks.includes(name)), commands];
  return [machine.booted && m.snapshot !== null && usual(m, machine) ? booted : boot, commands];
}

/** What the page says of the way out, or else the site. */
function wayOut(m: StartMessage, { network: site = {} }: Machine): Way {
  const named = m.network === undefined ? (site.relay ?? (site.fetch ? "fetch" : "none")) : (m.network ?? "none");
  if (named === "none") return { way: "none" };
  if (named === "fetch") {
    const mirrors = (m.mirrors ?? site.mirrors ?? []).map((u) => new URL(u, m.site).href);
    return { way: "fetch", https: m.https ?? site.https ?? [], mirrors, secure: location.protocol === "https:" };
  }
  const url = new URL(named, m.site);
  url.protocol = url.protocol.replace("http", "ws");
  return { way: "relay", relay: url.href };
}

async function start(m: StartMessage, waiting: ToMachine[]): Promise<void> {
  tell({ type: "phase", text: "loading the program" });
  const go = new Go();
  const attach = translator(go.importObject);
  watch(go);
  const described = description(`${m.site}machine.json`);
  const program = compiled(m.program, go.importObject);
  for (const p of [described, program]) p.catch(() => undefined); // they are told below
  const kept = m.name === undefined ? undefined : await openFiles(m.name, () => tell({ type: "phase", text: `waiting for another tab to let go of ${m.name}` }));
  if (kept) tell({ type: "kept", ...kept.kept });
  const [text, machine] = await described;
  const network = wayOut(m, machine);
  if (!m.archive) tell({ type: "network", way: network.way });
  const from = await snapshot(m, machine, !kept?.files || kept.files.root!.getSize() === 0);
  const chunks = new Chunks(m.site, machine);
  const [first, commands] = ahead(m, machine, from);
  void chunks.fetchAhead(first);
  const instance = await program;
  const memory = instance.exports.mem as WebAssembly.Memory;
  let going = false;
  const port: Port = {
    machine: text,
    memory: m.memory,
    terminal: m.terminal,
    network,
    files: kept?.files,
    free: kept?.free,
    engine: m.engine,
    name: m.name,
    snapshot: from,
    boot: m.snapshot === null,
    archive: m.archive && readable(m.archive),
    get: (name, again) => chunks.get(name, again),
    send: (m) => {
      tell(m.type === "stat" ? { ...m, taken: memory.buffer.byteLength, waits: chunks.counts.waits, fetched: chunks.counts.bytes } : m);
      if (going || (m.type !== "output" && m.type !== "stat")) return;
      going = true; // what a machine says first it says at its prompt, or not long before
      void chunks.fetchAhead(commands).then(tidy);
    },
  };
  (globalThis as unknown as { alpinevm: Port }).alpinevm = port;
  attach(instance);
  const ended = go.run(instance);
  for (const w of waiting.splice(0)) port.receive!(w);
  self.onmessage = (e: MessageEvent<ToMachine>) => port.receive!(e.data);
  await ended;
}

const waiting: ToMachine[] = [];
self.onmessage = (e: MessageEvent<StartMessage | ToMachine>) => {
  if (e.data.type !== "start") {
    waiting.push(e.data);
    return;
  }
  start(e.data, waiting).catch((err: unknown) => tell({ type: "error", text: sentence(err) }));
};
