// Stand-in for readSafetensors.
export function readSafetensors(bytes: Uint8Array) {
  const n = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const h = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + n)));
  const tensors = new Map<string, { shape: number[]; toTypedArray(): Float32Array }>();
  for (const [k, v] of Object.entries(h) as [string, { shape: number[]; data_offsets: [number, number] }][])
    if (k !== "__metadata__")
      tensors.set(k, {
        shape: v.shape,
        toTypedArray: () =>
          new Float32Array(new Uint8Array(bytes.subarray(8 + n + v.data_offsets[0], 8 + n + v.data_offsets[1])).buffer),
      });
  return { tensors };
}
