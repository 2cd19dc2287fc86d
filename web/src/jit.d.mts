export function translator(imports: WebAssembly.Imports): (instance: WebAssembly.Instance) => void;
