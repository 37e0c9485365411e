// The page runs on the TypeScript sources of the packages.
import { defineConfig } from "vite";

export default defineConfig({
  resolve: { conditions: ["development", "module", "browser"] },
  build: { outDir: "dist/page", target: "es2022" },
});
