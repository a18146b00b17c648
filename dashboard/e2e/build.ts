import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Builds what the tests run, unless `scripts/test` has: the quickstart and the crowd, with the page embedded. */
export default function build(): void {
  const root = join(import.meta.dirname, "../..");
  if (process.env["BUILT"]) return;
  execFileSync("cargo", ["build", "--quiet", "--all-features", "--example", "quickstart", "--example", "crowd"], { cwd: root, stdio: "inherit" });
}
