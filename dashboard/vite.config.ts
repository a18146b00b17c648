import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "fflate";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { fixture } from "./dev/plugin.ts";

/**
 * A compressed twin beside each file, and `files.rs`, the table by which the server embeds them. Not by Node's zlib, whose
 * output depends on the processor.
 */
function embedded(): Plugin {
  return {
    name: "embedded",
    apply: "build",
    closeBundle() {
      const dist = join(import.meta.dirname, "dist");
      const files = readdirSync(dist, { recursive: true, encoding: "utf8" });
      const entries = files.filter((file) => /\.(html|js|css|svg|txt)$/.test(file)).sort().map((file) => {
        const plain = readFileSync(join(dist, file));
        if (file.endsWith(".txt")) return entry(file, content(file, plain), "None");
        const gzip = gzipSync(plain, { level: 9, mtime: 0 });
        writeFileSync(join(dist, `${file}.gz`), gzip);
        return entry(file, content(file, plain), `Some(${content(`${file}.gz`, gzip)})`);
      });
      writeFileSync(join(dist, "files.rs"), `&[\n${entries.join("")}]\n`);
    },
  };
}

function entry(path: string, plain: string, gzip: string): string {
  return `    File {\n        path: "${path}",\n        plain: ${plain},\n        gzip: ${gzip},\n    },\n`;
}

function content(file: string, data: Uint8Array): string {
  const tag = createHash("sha256").update(data).digest("hex").slice(0, 32);
  return `Content { data: include_bytes!("${file}"), tag: "\\"${tag}\\"" }`;
}

export default defineConfig({
  // Relative, so that the page works under any prefix.
  base: "./",
  plugins: [fixture(), embedded()],
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
