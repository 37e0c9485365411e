// How protocol buffers write a message: fields as key and value, numbers as varints, everything longer with its length.
// (Encoding guide, protobuf.dev: wire type 0 varint, 2 length-delimited, 5 four bytes.)

/** Pieces of a message, to be joined once. */
export type Bytes = readonly Uint8Array[];

/** A field that is a whole number of at most 53 bits; negative ones take ten bytes. */
export function integer(field: number, value: number): Bytes {
  return [Uint8Array.from([...varint(BigInt(field << 3)), ...varint(BigInt.asUintN(64, BigInt(value)))])];
}
/** A field that is a float of four bytes. */
export function float(field: number, value: number): Bytes {
  return [Uint8Array.from(varint(BigInt((field << 3) | 5))), new Uint8Array(Float32Array.of(value).buffer)];
}
/** A field that is a text, bytes or another message. */
export function bytes(field: number, value: string | Uint8Array | Bytes): Bytes {
  const content =
    typeof value === "string" ? [new TextEncoder().encode(value)] : value instanceof Uint8Array ? [value] : value;
  const length = content.reduce((sum, piece) => sum + piece.length, 0);
  return [Uint8Array.from([...varint(BigInt((field << 3) | 2)), ...varint(BigInt(length))]), ...content];
}

/** The pieces in one array. */
export function join(pieces: Bytes): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Seven bits a byte, the lowest first, the top bit says that more follow. */
function varint(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...out, Number(rest)];
}
