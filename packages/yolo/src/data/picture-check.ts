// Finds picture files that are cut short: decoders often fill the missing part with grey and say nothing.

/** What is wrong with the file's frame, or null. Knows JPEG and PNG; other formats are left to the decoder. */
export function findTruncation(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return "the file is empty";
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return endsWithJpegMarker(bytes) ? null : "truncated JPEG: no end marker";
  if (startsWith(bytes, pngStart)) return hasPngEnd(bytes) ? null : "truncated PNG: no end chunk";
  return null;
}

const pngStart = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Cameras append bytes after the end marker; a truncated file has none in this many last bytes. */
const jpegTail = 4096;

function endsWithJpegMarker(bytes: Uint8Array): boolean {
  for (let i = bytes.length - 2; i >= Math.max(2, bytes.length - jpegTail); i--) {
    if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return true;
  }
  return false;
}

/** Walks the chunks: length, name, data, checksum. */
function hasPngEnd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = pngStart.length;
  while (at + 12 <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > bytes.length) return false;
    if (view.getUint32(at + 4) === 0x49454e44) return true;
    at = end;
  }
  return false;
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}
