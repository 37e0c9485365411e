// Files that lie in memory, and the codec of the simplest picture format: enough for tests and for pages without a file system.
import type { FileSystem, Image, ImageCodec } from "./types.ts";

/** A file system over a map from absolute path (beginning with `/`) to content. */
export function memoryFileSystem(files: ReadonlyMap<string, string | Uint8Array>): FileSystem {
  const find = (path: string): string | Uint8Array => {
    const content = files.get(path);
    if (content === undefined) throw new Error(`no file ${path} in memory`);
    return content;
  };
  return {
    readText: async (path) => {
      const content = find(path);
      return typeof content === "string" ? content : new TextDecoder().decode(content);
    },
    readBytes: async (path) => {
      const content = find(path);
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
    list: async (folder) => [...files.keys()].filter((path) => path.startsWith(`${folder}/`)),
    kind: async (path) => {
      if (files.has(path)) return "file";
      return [...files.keys()].some((file) => file.startsWith(`${path}/`)) ? "folder" : "missing";
    },
    resolve: (...parts) => {
      const resolved: string[] = [];
      for (const part of parts) {
        if (part.startsWith("/")) resolved.length = 0;
        for (const name of part.split("/")) {
          if (name === "..") resolved.pop();
          else if (name !== "" && name !== ".") resolved.push(name);
        }
      }
      return `/${resolved.join("/")}`;
    },
  };
}

/** Decodes binary portable pixmaps (P6, 255 levels). */
export const ppmCodec: ImageCodec = {
  decode: async (bytes) => {
    const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(new TextDecoder("latin1").decode(bytes.subarray(0, 64)));
    if (head === null) throw new Error("not a binary pixmap");
    const width = Number(head[1]);
    const height = Number(head[2]);
    const data = bytes.subarray(head[0].length);
    if (data.length < width * height * 3) throw new Error("the pixmap is cut short");
    return { width, height, data: data.slice(0, width * height * 3) };
  },
};

/** The bytes that {@link ppmCodec} reads. */
export function encodePpm({ width, height, data }: Image): Uint8Array {
  const head = new TextEncoder().encode(`P6 ${width} ${height} 255\n`);
  const bytes = new Uint8Array(head.length + data.length);
  bytes.set(head);
  bytes.set(data, head.length);
  return bytes;
}
