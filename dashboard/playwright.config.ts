import { defineConfig } from "@playwright/test";

const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export default defineConfig({
  testDir: "e2e",
  globalSetup: "./e2e/build.ts",
  // Every test has a process and a page of its own.
  fullyParallel: true,
  workers: 2,
  // For slow and busy machines. Where what a test waits for comes at once, it costs nothing.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: { executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: quiet },
  },
});
