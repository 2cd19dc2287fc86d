// The service worker: keeps what the page and its machine load, so that they start again
// without a network. What is named for its content never changes; all else is asked for
// anew where there is a network.
import { ofPort } from "./swports";
import { tidy } from "./tidy";

declare const self: ServiceWorkerGlobalScope;
/** What the page consists of, and what all of it is called; the build says it. */
declare const shell: { version: string; files: string[] };
/** The program's file, with what tells it from those of other builds. */
declare const programFile: string;

// A server may have pages of several folders, of which each keeps its own.
const folder = new URL(self.registration.scope).pathname;
const apps = `alpinevm-app ${folder} `;
const app = apps + shell.version;
const machine = `alpinevm-machine ${folder}`;
const fixed = /\/chunks\/[0-9a-f]{32}$/;
/** How many parts of files are kept of a machine before somebody reads them: 256 MiB, unpacked, or somewhat more. */
const most = 1024;

const program = new URL(programFile, self.registration.scope).href;

self.addEventListener("install", (e) => {
  e.waitUntil(install());
  void self.skipWaiting();
});

async function install(): Promise<void> {
  const kept = await caches.open(app);
  await kept.addAll(shell.files.map((f) => new Request(f, { cache: "no-cache" })));
  const response = (await caches.match(program)) ?? unpacked(await fetch(program));
  if (!response.ok) throw new Error(`${program}: the server says ${response.status}`);
  await kept.put(program, response);
  tidy();
}

/** The program as browsers compile it, who then keep what they have compiled. */
function unpacked(response: Response): Response {
  if (!response.ok || response.headers.get("Content-Type") === "application/wasm") return response;
  const plain = response.body!.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair<Uint8Array, Uint8Array>);
  return new Response(plain, { headers: { "Content-Type": "application/wasm" } });
}

self.addEventListener("activate", (e) => e.waitUntil(Promise.all([forget(), self.clients.claim()])));

/** Removes what pages of other versions have kept. */
async function forget(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith(apps) && name !== app) await caches.delete(name);
}

self.addEventListener("message", (e) => {
  if ((e.data as { type?: string }).type === "keep") e.waitUntil(keep());
});

/** The names of all parts of a machine's files, first those that starts read and those of its root. */
function parts(description: string): string[] {
  const { ahead = {}, root, ...rest } = JSON.parse(description) as Record<string, unknown>;
  return [...new Set([...JSON.stringify([ahead, root, rest]).matchAll(/"([0-9a-f]{32})"/g)].map((m) => m[1]!))];
}

/** Gets what of the machine's files is not here yet, one after the other, and removes what is no longer the machine's. */
async function keep(): Promise<void> {
  const kept = await caches.open(machine);
  const at = (name: string) => new URL(name, self.registration.scope).href;
  const response = await fetch(at("machine.json"));
  await kept.put(at("machine.json"), response.clone());
  const have = new Set((await kept.keys()).map((r) => r.url));
  const wanted = parts(await response.text()).map((name) => at(`chunks/${name}`));
  for (const url of have) if (fixed.test(url) && !wanted.includes(url)) await kept.delete(url);
  for (const url of wanted.slice(0, most)) if (!have.has(url)) await kept.add(url);
  for (const c of await self.clients.matchAll()) c.postMessage({ type: "kept", all: wanted.length <= most });
}

self.addEventListener("fetch", (e) => {
  const { href } = new URL(e.request.url);
  const guest = href.startsWith(self.registration.scope) && ofPort(e);
  if (guest) e.respondWith(guest);
  // What a guest asks of this server is none of the page's files.
  else if (e.request.method === "GET" && e.request.cache !== "no-store" && href.startsWith(self.registration.scope)) e.respondWith(answer(e));
});

async function answer(e: FetchEvent): Promise<Response> {
  const request = e.request;
  const part = fixed.test(new URL(request.url).pathname);
  const unchanging = part || request.url === program;
  // There is one page, whatever its address says of its machine.
  const page = request.mode === "navigate";
  // A start asks for many parts: it matters that one place is looked at.
  const have = await (part ? (await caches.open(machine)).match(request.url) : caches.match(page ? self.registration.scope : request));
  if (have && unchanging && request.cache !== "reload") return have; // else it is damaged
  try {
    const response = await fetch(request);
    if (response.status === 200 && !page && !request.url.startsWith(program.replace(/\?.*/, ""))) {
      const to = unchanging || request.url.endsWith("/machine.json") ? machine : app;
      const copy = response.clone();
      e.waitUntil(caches.open(to).then((c) => c.put(request, copy)));
    }
    return response;
  } catch (err) {
    if (have) return have;
    throw err;
  }
}
