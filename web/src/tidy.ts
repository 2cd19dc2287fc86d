// What has been loaded goes through JavaScript as parts, which are garbage then: 60 MiB of a
// first start. V8 collects what lies outside of its heap when scripts have made much more of
// it. Here next to nothing is made by scripts from then on, and the garbage would stay.

/** Has the collector look for garbage now. Nobody touches this memory, so that it is never there. */
export function tidy(): void {
  try {
    for (let i = 0; i < 4; i++) new ArrayBuffer(64 << 20);
  } catch {
    // There is no room for it: the collector has looked.
  }
}
