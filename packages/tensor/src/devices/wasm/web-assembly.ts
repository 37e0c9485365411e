// The part of the standard global `WebAssembly` that this device uses, typed here because the compiler's libraries
// that declare it are the browser's.

/** A memory: `buffer` is a SharedArrayBuffer if it was made as shared. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}
interface Api {
  /** `initial` and `maximum` count pages of 64 KiB. */
  Memory: new (descriptor: {
    initial: number;
    maximum: number;
    shared: boolean;
  }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (
    module: object,
    imports: Record<string, Record<string, object>>,
  ) => { readonly exports: Readonly<Record<string, (...values: (number | undefined)[]) => number | undefined>> };
  validate(bytes: Uint8Array): boolean;
}
export const WebAssembly = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;
