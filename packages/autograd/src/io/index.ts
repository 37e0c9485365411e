// File formats, as bytes in and bytes out.
export * from "./safetensors.ts";
