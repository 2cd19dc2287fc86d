/** The error of what a machine could not do: a sentence, which names what was wrong. */
export class AlpineVMError extends Error {
  override name = "AlpineVMError";
}

/** What somebody gave, in a sentence. */
export function quoted(v: unknown): string {
  if (typeof v === "string") return JSON.stringify(v.length > 60 ? `${v.slice(0, 60)}...` : v);
  if (typeof v === "object" && v !== null) return v.constructor?.name ?? "an object";
  return typeof v === "function" ? "a function" : String(v);
}

/** The sentence of an error of the browser's or of a page's. */
export const sentence = (err: unknown) => (err instanceof Error ? err.message : String(err));
