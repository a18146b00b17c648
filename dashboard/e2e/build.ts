import { execFileSync } from "node:child_process";
import { join } from "node:path";

/**
 * Builds the programs under test with the page embedded, unless `scripts/test` has built them.
 */
export default function build(): void {
  const root = join(import.meta.dirname, "../..");
  if (process.env["BUILT"]) return;
  execFileSync("cargo", ["build", "--quiet", "--all-features", "--example", "quickstart", "--example", "crowd", "--example", "service", "--example", "incident"], { cwd: root, stdio: "inherit" });
}
