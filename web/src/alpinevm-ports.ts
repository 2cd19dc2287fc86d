// A service worker for the addresses that url(port) gives, and for nothing else: a page that
// has none registers it, and one that has imports it there, by importScripts.
import { ofPort } from "./swports";

declare const self: ServiceWorkerGlobalScope;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => {
  const answer = e.request.url.startsWith(self.registration.scope) && ofPort(e);
  if (answer) e.respondWith(answer);
});
