// The service worker's half of url(port): what is asked of port/MACHINE/PORT/PATH is the
// page's to answer that has the machine.
import type { PortAnswer, PortRequest } from "./ports";

declare const self: ServiceWorkerGlobalScope;

const form = /^port\/([0-9a-f-]{36})\/(\d{1,5})(\/.*)$/;

/** How long a page has to begin to answer, in milliseconds. */
const patience = 60_000;

/** The answer to a request for a port of a machine's; undefined if it is for none. */
export function ofPort(e: FetchEvent): Promise<Response> | undefined {
  const url = new URL(e.request.url);
  const m = form.exec(url.href.slice(self.registration.scope.length));
  return m ? ask(e.request, m[1]!, Number(m[2]), m[3]!) : undefined;
}

const sentence = (status: number, text: string) => new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });

async function ask(request: Request, machine: string, port: number, target: string): Promise<Response> {
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : await request.arrayBuffer();
  const path = target.replace(/#.*/, "");
  const message: PortRequest = { type: "port", machine, port, method: request.method, path, headers: [...request.headers], body };
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return new Promise<Response>((resolve) => {
    const late = setTimeout(() => resolve(sentence(504, "No page answers that has this machine: it may have been closed.")), patience);
    // One page has the machine; the others do not know its name, and say nothing.
    const channels = pages.map((page) => {
      const { port1, port2 } = new MessageChannel();
      page.postMessage(message, [port2]);
      return port1;
    });
    const cancel = () => channels.forEach((c) => c.postMessage("gone"));
    let to: ReadableStreamDefaultController<Uint8Array> | undefined;
    const take = (a: PortAnswer) => {
      clearTimeout(late);
      if (a.type === "head") {
        const none = [204, 205, 304].includes(a.status) || request.method === "HEAD";
        const stream = new ReadableStream<Uint8Array>({ start: (c) => void (to = c), cancel });
        resolve(new Response(none ? null : stream, { status: a.status, statusText: a.text, headers: a.headers }));
      } else if (a.type === "data") to?.enqueue(a.data);
      else if (a.type === "end") to?.close();
      else if (to) to.error(new Error(a.text));
      else resolve(sentence(502, a.text));
    };
    for (const c of channels) c.onmessage = (e: MessageEvent<PortAnswer>) => take(e.data);
  });
}
