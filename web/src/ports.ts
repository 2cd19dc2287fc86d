// The page's half of url(port): the service worker passes on what is asked of an address
// below port/, and the page asks its machine's server.
import type { AlpineVM } from "./alpinevm";

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

/** How long a service worker that was just registered may take, in milliseconds. */
const patience = 60_000;

const machines = new Map<string, AlpineVM>();

/** Has the service worker know a machine, and gives the address below which its ports are. */
export async function shown(vm: AlpineVM): Promise<string> {
  if (!("serviceWorker" in navigator)) throw new Error("this window has no service workers, so that a server in the guest has no address here; fetch(port, path) reaches it");
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error("there is no service worker here: register sw.js, which is beside alpinevm.js, for this page")), patience),
  );
  const { scope } = await Promise.race([navigator.serviceWorker.ready, late]);
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
    tell({ type: "error", text: err instanceof Error ? err.message : String(err) });
  }
}
