// The page's half of url(port): the service worker passes on what is asked of an address
// below port/, and the page asks its machine's server.
import type { AlpineVM } from "./alpinevm";
import { AlpineVMError, sentence } from "./errors";

/** What the service worker asks a page. */
export interface PortRequest {
  type: "port";
  machine: string;
  port: number;
  method: string;
  path: string;
  headers: [string, string][];
  body?: ArrayBuffer;
}

/** What it is answered, by the port that came with it. */
export type PortAnswer =
  | { type: "head"; status: number; text: string; headers: [string, string][] }
  | { type: "data"; data: Uint8Array }
  | { type: "end" }
  | { type: "error"; text: string };

/** How long a service worker that was just registered may take, and how long nobody need have registered one, in milliseconds. */
const patience = 60_000;
const unregistered = 10_000;
/** How long one that has begun may take to claim this page, which not every one does. */
const claiming = 2_000;

const machines = new Map<string, AlpineVM>();

/** Has the service worker know a machine, and gives the address below which its ports are. */
export async function shown(vm: AlpineVM): Promise<string> {
  if (!("serviceWorker" in navigator)) throw new AlpineVMError("this window has no service workers, so that a server in the guest has no address here; fetch(port, path) reaches it");
  const { scope } = await looksAfter();
  if (!machines.size)
    navigator.serviceWorker.addEventListener("message", (e) => {
      const m = e.data as PortRequest;
      const vm = m.type === "port" && machines.get(m.machine);
      if (vm) void answer(vm, m, e.ports[0]!);
    });
  navigator.serviceWorker.startMessages();
  let id = [...machines].find(([, v]) => v === vm)?.[0];
  if (!id) machines.set((id = crypto.randomUUID()), vm);
  return new URL(`port/${id}/`, scope).href;
}

/** The registration of the service worker that looks after this page, once it does. */
async function looksAfter(): Promise<ServiceWorkerRegistration> {
  const none = "there is no service worker for this page: copy alpinevm-ports.js of the package alpinevm to where the page is, and have it register that";
  for (const until = performance.now() + unregistered; !(await navigator.serviceWorker.getRegistration()); await new Promise((r) => setTimeout(r, 100)))
    if (performance.now() > until) throw new AlpineVMError(none);
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new AlpineVMError("the service worker of this page has not begun after a minute: reload the page")), patience));
  const r = await Promise.race([navigator.serviceWorker.ready, late]);
  await claimed(r.active!);
  return r;
}

/** Waits until a service worker that has just begun answers this page too, if it is one that claims those that are open. */
async function claimed(worker: ServiceWorker): Promise<void> {
  if (navigator.serviceWorker.controller) return;
  const claims = new Promise<void>((resolve) => navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true }));
  const active = new Promise<void>((resolve) => {
    const look = () => void (worker.state === "activated" && resolve());
    worker.addEventListener("statechange", look);
    look();
  });
  await Promise.race([claims, active.then(() => new Promise((r) => setTimeout(r, claiming)))]);
}

async function answer(vm: AlpineVM, m: PortRequest, to: MessagePort): Promise<void> {
  const tell = (a: PortAnswer) => to.postMessage(a);
  const gone = new AbortController();
  to.onmessage = () => gone.abort();
  try {
    const response = await vm.fetch(m.port, m.path, { method: m.method, headers: m.headers, body: m.body && new Uint8Array(m.body), signal: gone.signal });
    tell({ type: "head", status: response.status, text: response.statusText, headers: [...response.headers] });
    const reader = response.body?.getReader();
    for (let r = await reader?.read(); r && !r.done; r = await reader!.read()) tell({ type: "data", data: r.value });
    tell({ type: "end" });
  } catch (err) {
    tell({ type: "error", text: sentence(err) });
  }
}
