// The dedicated worker that runs one machine. It gets the program, gives it the files
// that it asks for, and passes messages on.
import { Chunks } from "./chunks";
import { openFiles, type Handle } from "./files";
import { translator } from "./jit.mjs";
import { tidy } from "./tidy";
import type { FromMachine, NetworkState, StartMessage, ToMachine } from "./protocol";

declare const Go: new () => { importObject: WebAssembly.Imports; run(instance: WebAssembly.Instance): Promise<void> };

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
  get(name: string): Promise<Uint8Array>;
  send(message: FromMachine): void;
  receive?(message: ToMachine): void;
}

const tell = (m: FromMachine) => self.postMessage(m);

/** Gets what the site has under a name, with a sentence where it has not. */
async function got(url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch {
    throw new Error(`${url} cannot be reached: look whether the server still runs, and reload the page`);
  }
  if (!response.ok) throw new Error(`${url}: the server says ${response.status} ${response.statusText}; the site is not whole, make it again`);
  return response;
}

/** The same response, of which it is told how much has come. */
function counted(response: Response): Response {
  const total = Number(response.headers.get("X-Size") ?? response.headers.get("Content-Length") ?? 0);
  let done = 0;
  const body = response.body!.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(part, to) {
        done += part.length;
        tell({ type: "progress", done, total });
        to.enqueue(part);
      },
    }),
  );
  return new Response(body);
}

async function compiled(url: string, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  let response = await got(url);
  // The service worker gives it unpacked. The browser keeps what it has compiled of that, if nothing stands between.
  if (response.headers.get("Content-Type") !== "application/wasm") {
    const plain = counted(response).body!.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
    response = new Response(plain, { headers: { "Content-Type": "application/wasm" } });
  }
  return (await WebAssembly.instantiateStreaming(response, imports)).instance;
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
    return readable(await counted(await got(m.snapshot)).blob());
  } catch (err) {
    tell({ type: "notice", text: `The snapshot cannot be used: ${err instanceof Error ? err.message : err}. The machine boots.` });
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
  const text = got(`${m.site}machine.json`).then((r) => r.text());
  const program = compiled(m.program, go.importObject);
  for (const p of [text, program]) p.catch(() => undefined); // they are told below
  const kept = m.name === undefined ? undefined : await openFiles(m.name, () => tell({ type: "phase", text: `waiting for another tab to let go of ${m.name}` }));
  if (kept) tell({ type: "kept", ...kept.kept });
  const machine = JSON.parse(await text) as Machine;
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
    machine: await text,
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
    get: (name) => chunks.get(name),
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
  start(e.data, waiting).catch((err: unknown) => tell({ type: "error", text: err instanceof Error ? err.message : String(err) }));
};
