// The decoder of pictures for Node, loaded with the first of them: a training on digits begins without.

import type { ImageCodec } from "@orepa/yolo";

/** JPEG, PNG, WebP, GIF, BMP, AVIF to RGB. */
export const nodeCodec: ImageCodec = {
  decode: async (bytes) => (await import("./image-codec.ts")).decode(bytes),
};
