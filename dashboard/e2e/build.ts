import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Builds what the tests run: the quickstart and the crowd, with the page embedded. */
export default function build(): void {
  const root = join(import.meta.dirname, "../..");
  execFileSync("cargo", ["build", "--quiet", "--example", "quickstart", "--example", "crowd"], { cwd: root, stdio: "inherit" });
}
