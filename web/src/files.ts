// The files that a machine is kept in, in the browser's origin private file system. They
// are opened before the program starts, because opening one is not synchronous.
import { sentence } from "./errors";
import type { KeptState } from "./protocol";

/** An open file, as the program uses it. */
export type Handle = FileSystemSyncAccessHandle;

const names = ["root", "content", "map.0", "map.1"];

/** How long it is waited for another tab to let go, in milliseconds: one that was reloaded does. */
const patience = 10_000;

/** What a machine is kept in, or why it is not kept. */
export async function openFiles(name: string, waiting: () => void): Promise<{ kept: KeptState; files?: Record<string, Handle>; free?: number }> {
  let dir: FileSystemDirectoryHandle;
  try {
    dir = await folder(name);
    if (!("createSyncAccessHandle" in FileSystemFileHandle.prototype)) throw new Error("the browser has no files that a worker can write");
  } catch (err) {
    const todo = isSecureContext ? "A private window may have none." : "A page has one that comes by https, or from this computer.";
    return { kept: { name, kept: false, why: `The machine will not be kept: this window has no place for files${isSecureContext ? ` (${sentence(err)})` : ""}. ${todo}` } };
  }
  const estimate = navigator.storage.estimate().catch((): StorageEstimate => ({}));
  const files: Record<string, Handle> = {};
  // One tab at a time gets the first one: another is not to have a part of them.
  for (const file of names) files[file] = await open(await dir.getFileHandle(file, { create: true }), name, waiting);
  const { quota, usage } = await estimate;
  return { kept: { name, kept: true }, files, free: quota === undefined ? undefined : quota - (usage ?? 0) };
}

async function folder(name: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  const all = await root.getDirectoryHandle("alpinevm", { create: true });
  return all.getDirectoryHandle(name, { create: true });
}

async function open(file: FileSystemFileHandle, name: string, waiting: () => void): Promise<Handle> {
  for (const until = performance.now() + patience; ; ) {
    try {
      return await file.createSyncAccessHandle();
    } catch (err) {
      if ((err as DOMException).name !== "NoModificationAllowedError") throw err;
      if (performance.now() > until)
        throw new Error(`The machine ${name} is in use in another tab or window: go on there, close it there and start again here, or give this one another name.`);
      waiting();
      await new Promise((r) => setTimeout(r, 100));
    }
  }
}
