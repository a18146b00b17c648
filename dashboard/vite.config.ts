import { defineConfig } from "vitest/config";
import { fixture } from "./dev/plugin.ts";

export default defineConfig({
  // Relative, so that the page works under any prefix.
  base: "./",
  plugins: [fixture()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox128", "safari17.5"],
    // Inlined assets would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
