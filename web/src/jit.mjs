// What the program's translator needs of whoever starts it: a table of functions, a
// way in that the program imports, and how modules get into the table.

/** The module with both, as cpu/jit/wasm makes it (Base). */
const base = "AGFzbQEAAAABCQFgBH9/f38BfwMCAQAEBgFwAIGAAgcRAgVlbnRlcgAABXRhYmxlAQAKEQEPACAAIAEgAiADQQARAAAL";

/**
 * Adds the way in to what the program imports. What it returns is to be given the
 * program's instance before that runs.
 * @param {WebAssembly.Imports} imports
 * @returns {(instance: WebAssembly.Instance) => void}
 */
export function translator(imports) {
  const bytes = Uint8Array.from(atob(base), (c) => c.charCodeAt(0));
  const { enter, table } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  imports.jit = { enter };
  return (instance) => {
    const shared = { jit: { mem: instance.exports.mem, table } };
    globalThis.alpinevmJIT = {
      /**
       * Puts a module's functions into the table, at the places that are their names. What
       * the dispatcher's has beside it the others import. Gives what is wrong, or nothing.
       */
      load(code) {
        try {
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), shared);
          if (exports.follow) shared.dispatch = exports;
          for (const name in exports) if (+name >= 0) table.set(+name, exports[name]);
        } catch (err) {
          return String(err);
        }
      },
      /** Takes functions out of it, so that their module can go. */
      drop(places) {
        for (const place of places) table.set(place, null);
      },
    };
  };
}
