// The dedicated worker that runs one machine. It gets the program, gives it the files
// that it asks for, and passes messages on.
import { openFiles, type Handle } from "./files";
import { translator } from "./jit.mjs";
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
  get(name: string): Uint8Array;
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
  return new Response(body, { headers: { "Content-Type": "application/wasm" } });
}

async function compiled(url: string, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  let response = counted(await got(url));
  if (new URL(url).pathname.endsWith(".gz")) {
    const plain = response.body!.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
    response = new Response(plain, { headers: { "Content-Type": "application/wasm" } });
  }
  return (await WebAssembly.instantiateStreaming(response, imports)).instance;
}

/** Chunks that are on their way because they lie behind one that was asked for. */
class Ahead {
  private readonly next = new Map<string, string[]>();
  private readonly asked = new Set<string>();
  constructor(private readonly site: string, machine: string, private readonly count: number) {
    const walk = (v: unknown): void => {
      if (!v || typeof v !== "object") return;
      const { chunks } = v as { chunks?: string[] };
      if (Array.isArray(chunks)) chunks.forEach((name, i) => this.next.set(name, chunks.slice(i + 1, i + 1 + this.count)));
      else Object.values(v).forEach(walk);
    };
    walk(JSON.parse(machine));
  }
  /** Has the browser's cache get what follows a chunk. */
  after(name: string): void {
    for (const n of this.next.get(name) ?? []) {
      if (this.asked.has(n)) continue;
      this.asked.add(n);
      fetch(`${this.site}chunks/${n}`).then((r) => r.arrayBuffer()).catch(() => this.asked.delete(n));
    }
  }
}

/** Gets a chunk now: the guest stands still until it has it. */
function chunk(site: string, name: string): Uint8Array {
  const request = new XMLHttpRequest();
  request.open("GET", `${site}chunks/${name}`, false);
  request.responseType = "arraybuffer";
  try {
    request.send();
  } catch {
    throw new Error(`a part of a file cannot be had from ${site}: look whether the server still runs`);
  }
  if (request.status !== 200) throw new Error(`the server says ${request.status} to a part of a file; the site is not whole, make it again`);
  return new Uint8Array(request.response as ArrayBuffer);
}

/** What the page says of the way out, or else the site. */
function wayOut(m: StartMessage, machine: string): Way {
  const { network: site = {} } = JSON.parse(machine) as { network?: { relay?: string; fetch?: boolean; https?: string[]; mirrors?: string[] } };
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
  const kept = m.name === undefined ? undefined : await openFiles(m.name, () => tell({ type: "phase", text: `waiting for another tab to let go of ${m.name}` }));
  if (kept) tell({ type: "kept", ...kept.kept });
  tell({ type: "phase", text: "loading the program" });
  const go = new Go();
  const attach = translator(go.importObject);
  const [instance, machine] = await Promise.all([
    compiled(m.program, go.importObject),
    got(`${m.site}machine.json`).then((r) => r.text()),
  ]);
  const network = wayOut(m, machine);
  tell({ type: "network", way: network.way });
  const ahead = new Ahead(m.site, machine, 4);
  const port: Port = {
    machine,
    memory: m.memory,
    terminal: m.terminal,
    network,
    files: kept?.files,
    free: kept?.free,
    engine: m.engine,
    get(name) {
      const data = chunk(m.site, name);
      ahead.after(name);
      return data;
    },
    send: tell,
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
