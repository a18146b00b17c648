import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "fflate";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { fixture } from "./dev/plugin.ts";

/** A compressed twin beside each file. Not by Node's zlib, whose output depends on the processor. */
function twins(): Plugin {
  return {
    name: "gzip-twins",
    apply: "build",
    closeBundle() {
      const dist = join(import.meta.dirname, "dist");
      for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
        if (!/\.(html|js|css|svg)$/.test(file)) continue;
        writeFileSync(join(dist, `${file}.gz`), gzipSync(readFileSync(join(dist, file)), { level: 9, mtime: 0 }));
      }
    },
  };
}

export default defineConfig({
  // Relative, so that the page works under any prefix.
  base: "./",
  plugins: [fixture(), twins()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox128", "safari17.5"],
    // Inlined assets would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
