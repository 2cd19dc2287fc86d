// A machine in a page.
import { AlpineVMError, sentence } from "./errors";
import { shown } from "./ports";
import type { End, Engine, Entry, FromMachine, KeptState, Network, NetworkState, Size, StartMessage, Stat, ToMachine } from "./protocol";
import * as wanted from "./wanted";

export { AlpineVMError } from "./errors";
export type { End, Engine, Entry, KeptState, Network, NetworkState, Size, Stat } from "./protocol";

/** What shows a machine's console: an xterm.js Terminal is one. */
export interface Console extends Size {
  write(data: Uint8Array): void;
  onData(listener: (text: string) => void): unknown;
  onResize?(listener: (size: Size) => void): unknown;
}

export interface Options {
  /** The address of a folder with a machine's files, as alpinevm web build makes one. Default: beside the page. */
  image?: string | URL;
  /** Where worker.js and the program are. Default: beside this module. */
  base?: string | URL;
  /** Keeps what the guest changes in the browser, under this name, for the next time. Default: it is gone with the tab. */
  name?: string;
  /** The guest's memory in MiB. Default: what the site says. */
  memory?: number;
  /** What executes the guest's instructions. Default: the translator. */
  engine?: Engine;
  /**
   * What the guest reaches others by. Default: what the site says. The address of a relay that speaks the Wisp protocol (ws:, wss:): TCP
   * and UDP to what the relay allows. "fetch": HTTP at port 80, by names, to hosts that let every page read them (CORS). "none": nobody;
   * the page reaches the guest's servers all the same.
   */
  network?: Network;
  /** For "fetch": addresses that stand for http://dl-cdn.alpinelinux.org/alpine, of which the first one that answers is asked. */
  mirrors?: string[];
  /** For "fetch": hosts that are asked by https where the guest asks by http; *.NAME is each below NAME. A page that came by https asks all so. */
  https?: string[];
  /**
   * What the machine goes on from, as snapshot() and `alpinevm snapshot` give it, or null to boot. One that does not fit is a
   * notice, and the machine boots. Default: what the site has and fits the other options: the machine at its prompt, or its kernel
   * alone, which goes on with files that are kept.
   */
  snapshot?: string | URL | Blob | null;
  /** What shows the session's console; without one the guest is there for exec. */
  terminal?: Console;
  /** Is told what is being done before the guest runs. */
  onProgress?: (p: Progress) => void;
}

/** What an import needs: the name to keep the machine under. */
export interface ImportOptions extends Pick<Options, "image" | "base" | "onProgress"> {
  name: string;
}

export interface Progress {
  phase: string;
  /** Bytes, where they are known. */
  done?: number;
  total?: number;
}

export interface ExecOptions {
  /** NAME=value */
  env?: string[] | Record<string, string>;
  cwd?: string;
  user?: string;
  stdin?: string | Uint8Array | ReadableStream<Uint8Array>;
  /** Is given the output as it comes; what is given is not in the result. */
  onStdout?: (data: Uint8Array) => void;
  onStderr?: (data: Uint8Array) => void;
  /** Ends the program: SIGTERM, and SIGKILL two seconds later. One that is aborted already is an error. */
  signal?: AbortSignal;
}

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

interface Events {
  exit: End;
  error: Error;
  stat: Stat;
  network: NetworkState;
  /** What has become of the wish to keep the machine. */
  kept: KeptState;
  /** A sentence for the user: what is kept has no room, or is no longer kept. */
  notice: string;
}

const events: (keyof Events)[] = ["exit", "error", "stat", "network", "kept", "notice"];

interface Call {
  resolve(value: unknown): void;
  reject(err: Error): void;
  stdout?: (data: Uint8Array) => unknown;
  stderr?: (data: Uint8Array) => unknown;
  head?: (m: FromMachine & { type: "head" }) => void;
}

/** The program's file, with what tells it from those of other builds. */
declare const programFile: string;

/** A worker, and where it finds the machine's files and the program. */
function places(o: Pick<Options, "image" | "base">): { worker: Worker; unheard: string; site: string; program: string } {
  const base = o.base === undefined ? new URL(".", import.meta.url) : wanted.folder("base", o.base);
  const site = wanted.folder("image", o.image ?? ".");
  const at = new URL("worker.js", base);
  const unheard = `${at.href} is no worker that can be started: the files of the package alpinevm are to be in a folder of the page's own server, which the option base names`;
  try {
    return { worker: new Worker(at), unheard, site: site.href, program: new URL(programFile, base).href };
  } catch {
    throw new AlpineVMError(unheard); // of another server
  }
}

export class AlpineVM {
  private readonly worker: Worker;
  private readonly calls = new Map<number, Call>();
  private readonly listeners = new Map<keyof Events, Set<(v: never) => void>>();
  private next = 1;
  private phase = "starting";
  private over?: Error;
  private settle!: () => void;
  private readonly settled = new Promise<void>((resolve) => (this.settle = resolve));

  /** Starts a machine. It is booting when this returns; what comes of that is told by events. */
  static async create(options: Options = {}): Promise<AlpineVM> {
    wanted.checkOptions(options);
    return new AlpineVM(options);
  }

  /**
   * Keeps under a name the machine that an archive holds: of export(), or of `alpinevm export`. create({name}) starts it, with
   * a login shell. It needs nothing of the site's image but its kernel.
   */
  static async import(archive: Blob, options: ImportOptions): Promise<void> {
    wanted.machineName(options?.name);
    if (!(archive instanceof Blob)) throw new AlpineVMError("import: want the archive as a Blob, such as a File that was chosen");
    const { worker, unheard, site, program } = places(options);
    try {
      await new Promise<void>((resolve, reject) => {
        let phase: string | undefined;
        worker.onerror = (e) => reject(new AlpineVMError(phase === undefined ? unheard : `The import has stopped: ${e.message || "its worker has died"}.`));
        worker.onmessage = ({ data: m }: MessageEvent<FromMachine>) => {
          if (m.type === "imported") resolve();
          else if (m.type === "error") reject(new AlpineVMError(m.text));
          else if (m.type === "phase") options.onProgress?.({ phase: (phase = m.text) });
          else if (m.type === "progress") options.onProgress?.({ phase: phase ?? "starting", done: m.done, total: m.total });
        };
        const start: StartMessage = { type: "start", site, program, name: options.name, archive, network: null, snapshot: null };
        worker.postMessage(start);
      });
      void persist();
    } finally {
      worker.terminate();
    }
  }

  private constructor(private readonly options: Options) {
    const { worker, unheard, site, program } = places(options);
    this.worker = worker;
    let heard = false;
    this.worker.onmessage = (e: MessageEvent<FromMachine>) => {
      heard = true;
      this.receive(e.data);
    };
    this.worker.onerror = (e) => this.die(heard ? `The machine has stopped: ${e.message || "its worker has died"}. It may have had no memory left: close other tabs, or give the guest less.` : unheard);
    const t = options.terminal;
    const start: StartMessage = {
      type: "start",
      site,
      program,
      memory: options.memory,
      name: options.name,
      engine: options.engine,
      network: options.network,
      mirrors: options.mirrors,
      https: options.https,
      snapshot: options.snapshot instanceof Blob ? options.snapshot : options.snapshot && new URL(options.snapshot, location.href).href,
      terminal: t && { cols: t.cols, rows: t.rows },
    };
    this.worker.postMessage(start);
    // What is open is let go at once when the page goes, and not when the worker is collected.
    addEventListener("pagehide", (e) => (e as PageTransitionEvent).persisted || this.worker.terminate());
    if (options.name !== undefined) void persist();
    if (!t) return;
    const encoder = new TextEncoder();
    t.onData((text) => this.tell({ type: "input", data: encoder.encode(text) }));
    t.onResize?.((size) => this.resize(size.cols, size.rows));
  }

  /** Hears of the machine's end, of errors, and once a second of how it does. Gives what ends that. */
  on<K extends keyof Events>(event: K, listener: (v: Events[K]) => void): () => void {
    if (!events.includes(event)) throw new AlpineVMError(`there is no event ${String(event)}; there are ${events.join(", ")}`);
    let set = this.listeners.get(event);
    if (!set) this.listeners.set(event, (set = new Set()));
    set.add(listener as (v: never) => void);
    return () => set.delete(listener as (v: never) => void);
  }

  private emit<K extends keyof Events>(event: K, value: Events[K]): void {
    this.listeners.get(event)?.forEach((f) => (f as (v: Events[K]) => void)(value));
  }

  private tell(m: ToMachine): void {
    if (!this.over) this.worker.postMessage(m);
  }

  private receive(m: FromMachine): void {
    switch (m.type) {
      case "phase":
        this.phase = m.text;
        this.options.onProgress?.({ phase: m.text });
        break;
      case "progress":
        this.options.onProgress?.({ phase: this.phase, done: m.done, total: m.total });
        break;
      case "output":
        this.options.terminal?.write(m.data);
        break;
      case "stdout":
      case "stderr":
        this.calls.get(m.id)?.[m.type]?.(m.data);
        break;
      case "head":
        this.calls.get(m.id)?.head?.(m);
        break;
      case "result": {
        const call = this.calls.get(m.id);
        this.calls.delete(m.id);
        if (m.error === undefined) call?.resolve(m.value);
        else call?.reject(new AlpineVMError(m.error));
        break;
      }
      case "stat":
        this.emit("stat", m);
        break;
      case "network":
        this.emit("network", m);
        break;
      case "kept":
        this.emit("kept", m);
        break;
      case "notice":
        this.emit("notice", m.text);
        break;
      case "exit":
        this.end(new AlpineVMError("The machine has ended."));
        this.emit("exit", m);
        break;
      case "error":
        this.die(m.text);
    }
  }

  private die(text: string): void {
    const err = new AlpineVMError(text);
    this.end(err);
    this.emit("error", err);
  }

  private end(err: Error): void {
    this.over ??= err;
    this.worker.terminate();
    this.settle();
    this.calls.forEach((c) => c.reject(err));
    this.calls.clear();
  }

  private call(m: (id: number) => ToMachine, streams: Pick<Call, "stdout" | "stderr" | "head"> = {}): [number, Promise<unknown>] {
    const id = this.next++;
    if (this.over) return [id, Promise.reject(this.over)];
    const result = new Promise<unknown>((resolve, reject) => this.calls.set(id, { resolve, reject, ...streams }));
    this.tell(m(id));
    return [id, result];
  }

  /** Runs a program to its end. One that is not there ends with 127. */
  async exec(args: string[], o: ExecOptions = {}): Promise<ExecResult> {
    wanted.checkExec(args, o);
    if (o.signal?.aborted) throw new AlpineVMError(`exec ${args[0]}: its signal was aborted before it began`);
    const stdout = new Text(o.onStdout);
    const stderr = new Text(o.onStderr);
    const env = Array.isArray(o.env) ? o.env : o.env && Object.entries(o.env).map(([k, v]) => `${k}=${v}`);
    const [id, result] = this.call(
      (id) => ({ type: "exec", id, args, env, dir: o.cwd, user: o.user, stdin: o.stdin !== undefined }),
      { stdout: (d) => stdout.add(d), stderr: (d) => stderr.add(d) },
    );
    const abort = () => {
      this.tell({ type: "signal", id, number: 15 });
      setTimeout(() => this.tell({ type: "signal", id, number: 9 }), 2000);
    };
    o.signal?.addEventListener("abort", abort, { once: true });
    const fed = o.stdin === undefined ? undefined : this.feed(id, o.stdin, "stdin");
    fed?.failed.catch(abort);
    try {
      const code = (await result) as number;
      await fed?.stop();
      return { code, stdout: stdout.text(), stderr: stderr.text() };
    } finally {
      o.signal?.removeEventListener("abort", abort);
    }
  }

  /** Sends what a program or a server gets. stop is for when it has ended; its error is that of a stream that has failed. */
  private feed(id: number, from: string | Uint8Array | ReadableStream<Uint8Array>, what: string): { failed: Promise<void>; stop(): Promise<void> } {
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    let stopped = false;
    const all = async () => {
      if (typeof from === "string" || from instanceof Uint8Array) this.tell({ type: "stdin", id, data: typeof from === "string" ? new TextEncoder().encode(from) : from });
      else {
        reader = from.getReader();
        for (let r = await reader.read(); !r.done && !stopped; r = await reader.read()) {
          if (!((r.value as unknown) instanceof Uint8Array)) throw new Error("the stream has given something that is no Uint8Array");
          this.tell({ type: "stdin", id, data: r.value });
        }
      }
      this.tell({ type: "stdin", id });
    };
    let why: AlpineVMError | undefined;
    const failed = all().catch((err: unknown) => {
      this.tell({ type: "stdin", id });
      if (stopped) return;
      throw (why = new AlpineVMError(`${what}: ${sentence(err)}`));
    });
    failed.catch(() => undefined);
    const stop = async () => {
      stopped = true;
      if (why) throw why;
      reader?.cancel().catch(() => undefined);
    };
    return { failed, stop };
  }

  async readFile(name: string): Promise<Uint8Array> {
    wanted.checkName("readFile", name);
    return (await this.call((id) => ({ type: "readFile", id, name }))[1]) as Uint8Array;
  }

  async writeFile(name: string, data: string | Uint8Array): Promise<void> {
    wanted.checkName("writeFile", name);
    const bytes = wanted.bytes(name, data);
    await this.call((id) => ({ type: "writeFile", id, name, data: bytes }))[1];
  }

  async *readDir(name: string): AsyncGenerator<Entry> {
    wanted.checkName("readDir", name);
    yield* (await this.call((id) => ({ type: "readDir", id, name }))[1]) as Entry[];
  }

  async stat(name: string): Promise<Entry> {
    wanted.checkName("stat", name);
    return (await this.call((id) => ({ type: "stat", id, name }))[1]) as Entry;
  }

  async mkdir(name: string): Promise<void> {
    wanted.checkName("mkdir", name);
    await this.call((id) => ({ type: "mkdir", id, name }))[1];
  }

  async remove(name: string): Promise<void> {
    wanted.checkName("remove", name);
    await this.call((id) => ({ type: "remove", id, name }))[1];
  }

  /** Asks an HTTP server in the guest. */
  async fetch(port: number, path: string, init: { method?: string; headers?: HeadersInit; body?: string | Uint8Array | ReadableStream<Uint8Array>; signal?: AbortSignal } = {}): Promise<Response> {
    wanted.checkPort(port);
    const headers = wanted.request(path, init.headers, init.body);
    if (init.signal?.aborted) throw new AlpineVMError(`fetch ${path}: its signal was aborted before it began`);
    let to!: ReadableStreamDefaultController<Uint8Array>;
    let id = 0;
    let open = true;
    const cancel = () => {
      open = false;
      this.tell({ type: "cancel", id });
    };
    const stream = new ReadableStream<Uint8Array>({ start: (c) => void (to = c), cancel });
    const method = (init.method ?? "GET").toUpperCase();
    return new Promise((resolve, reject) => {
      const head = (m: FromMachine & { type: "head" }) => {
        const none = method === "HEAD" || [204, 205, 304].includes(m.status);
        resolve(new Response(none ? null : stream, { status: m.status, statusText: m.text, headers: m.headers }));
      };
      const call = this.call((id) => ({ type: "fetch", id, port, method, path, headers, stdin: init.body !== undefined }), { head, stdout: (d) => open && to.enqueue(d) });
      id = call[0];
      const fail = (err: unknown) => {
        reject(err); // unless there was a head
        if (open) to.error(err);
        open = false;
      };
      const fed = init.body === undefined ? undefined : this.feed(id, init.body, "body");
      fed?.failed.catch((err: unknown) => {
        fail(err);
        cancel();
      });
      init.signal?.addEventListener("abort", cancel, { once: true });
      call[1].then(() => open && to.close(), fail).finally(() => void fed?.stop().catch(() => undefined));
    });
  }

  /**
   * The address of an HTTP server in the guest, for a frame or another tab, as long as this page is open. What it shows is of this
   * page's origin, and can do what this page can: give it to people for guests that they trust.
   */
  async url(port: number): Promise<string> {
    wanted.checkPort(port);
    if (this.over) throw this.over;
    return `${await shown(this)}${port}/`;
  }

  /** All files of the machine as a tar archive in gzip, which alpinevm import takes. */
  async export(): Promise<Blob> {
    const packer = new CompressionStream("gzip");
    const writer = packer.writable.getWriter();
    const blob = new Response(packer.readable).blob();
    blob.catch(() => undefined); // it is the other error that is told
    const [, result] = this.call((id) => ({ type: "export", id }), { stdout: (d) => void writer.write(d as Uint8Array<ArrayBuffer>).catch(() => undefined) });
    try {
      await result;
      await writer.close();
    } catch (err) {
      writer.abort(err).catch(() => undefined);
      throw err;
    }
    return blob;
  }

  /**
   * The machine as it is, with its memory and all its files: `alpinevm run --from FILE` and create({snapshot}) go on from it. It
   * stands still until it is told that all is there.
   */
  async snapshot(): Promise<Blob> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    await this.call((id) => ({ type: "snapshot", id }), { stdout: (d) => parts.push(d as Uint8Array<ArrayBuffer>) })[1];
    return new Blob(parts);
  }

  resize(cols: number, rows: number): void {
    wanted.checkSize(cols, rows);
    this.tell({ type: "resize", cols, rows });
  }

  /** The machine stands still until resume, and what is asked of it waits. */
  pause(): void {
    this.tell({ type: "pause" });
  }

  resume(): void {
    this.tell({ type: "resume" });
  }

  /**
   * Asks the guest to end in an orderly way, and waits until it has. One that has not after
   * as many milliseconds is switched off, as docker stop does; what it has synced is kept.
   */
  async shutdown(timeout = 30_000): Promise<void> {
    if (this.over) return;
    let failed: Error | undefined;
    const off = this.on("error", (err) => (failed = err));
    this.tell({ type: "resume" });
    this.tell({ type: "shutdown" });
    const late = setTimeout(() => {
      this.terminate();
      this.emit("exit", { cause: "switched off", code: 0, detail: `The guest had not ended after ${timeout / 1000} s.` });
    }, timeout);
    await this.settled;
    clearTimeout(late);
    off();
    if (failed) throw failed;
  }

  /** Ends the machine at once, as it is. */
  terminate(): void {
    this.end(new AlpineVMError("The machine was switched off."));
  }
}

/** Asks the browser not to throw away what is kept when it is short of room. */
async function persist(): Promise<void> {
  try {
    if (!(await navigator.storage.persisted())) await navigator.storage.persist();
  } catch {
    // Then it is kept as long as there is room.
  }
}

/** Text that comes in parts. */
class Text {
  private readonly parts: string[] = [];
  private readonly decoder = new TextDecoder();
  constructor(private readonly instead?: (data: Uint8Array) => void) {}
  add(data: Uint8Array): void {
    if (this.instead) this.instead(data);
    else this.parts.push(this.decoder.decode(data, { stream: true }));
  }
  text(): string {
    return this.parts.join("") + (this.instead ? "" : this.decoder.decode());
  }
}
