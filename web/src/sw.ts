// The service worker: keeps what the page has loaded, so that it starts again without
// a network. What is named for its content never changes; all else is asked for anew
// where there is a network.
export {};
declare const self: ServiceWorkerGlobalScope;

const cache = "alpinevm-1";
const fixed = /\/chunks\/[0-9a-f]{32}$/;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method === "GET" && url.href.startsWith(self.registration.scope)) e.respondWith(answer(e.request, fixed.test(url.pathname)));
});

async function answer(request: Request, never: boolean): Promise<Response> {
  const kept = await caches.open(cache);
  const have = await kept.match(request);
  if (have && never) return have;
  try {
    const response = await fetch(request);
    if (response.status === 200) await kept.put(request, response.clone());
    return response;
  } catch (err) {
    if (have) return have;
    throw err;
  }
}
