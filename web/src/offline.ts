// The page's half of being there without a network: the service worker, sw.ts, keeps
// what the page and its machine load.

/** Has the service worker look after this page, if the browser lets it. */
export async function lookedAfter(): Promise<boolean> {
  if (!("serviceWorker" in navigator) || !isSecureContext) return false;
  const s = navigator.serviceWorker;
  const controlled = new Promise<boolean>((resolve) => {
    if (s.controller) resolve(true);
    else s.addEventListener("controllerchange", () => resolve(true), { once: true });
  });
  try {
    await s.register("sw.js");
  } catch {
    return false; // a private window, or files that are no server's
  }
  return controlled;
}

/** Has it get the machine's files, so that none is missing without a network, unless they are many. */
export function keepAll(): void {
  navigator.serviceWorker.addEventListener("message", (e) => {
    const { type, all } = e.data as { type?: string; all?: boolean };
    if (type === "kept") document.documentElement.dataset.offline = all ? "ready" : "partly";
  });
  navigator.serviceWorker.controller?.postMessage({ type: "keep" });
}
