import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, live, row, test } from "./test.ts";

let proxy: ChildProcess | undefined;
let place = "";

test.afterEach(async ({ page }) => {
  await page.close();
  const ended = new Promise((resolve) => (proxy === undefined ? resolve(null) : proxy.once("exit", resolve)));
  proxy?.kill("SIGTERM");
  await ended;
  if (place !== "") rmSync(place, { recursive: true });
});

test("the page works under a prefix behind nginx, actions included", async ({ page, crowd }) => {
  const process = await crowd(20, { settings: { ALLOW_ACTIONS: "yes" } });
  const port = await freePort();
  await startProxy(port, process.page);
  const home = `http://127.0.0.1:${port}/tools/headcount/`;
  const strays: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(home)) strays.push(request.url());
  });
  await page.goto(home);
  await expect(row(page, "sleeper").first()).toBeVisible();
  await expect(page.locator(".fresh")).toContainText("live");
  await page.getByRole("link", { name: /^Tasks/ }).click();
  await expect(page).toHaveURL(new RegExp(`^${home.replaceAll(".", "\\.")}\\?view=tasks&in=`));
  await page.locator("tbody tr").filter({ hasText: "sleeper" }).first().getByRole("button", { name: /^Cancel/ }).click();
  await page.getByRole("button", { name: "Cancel task" }).click();
  await expect(live(page)).toHaveText("26");
  await page.reload();
  await expect(page.getByRole("table", { name: "Live tasks" })).toBeVisible();
  expect(strays).toEqual([]);
});

async function startProxy(port: number, upstream: string): Promise<void> {
  place = mkdtempSync(join(tmpdir(), "headcount-nginx-"));
  const file = join(place, "nginx.conf");
  writeFileSync(file, configuration(port, upstream));
  proxy = spawn("nginx", ["-p", place, "-c", file, "-e", join(place, "error.log")], { stdio: "inherit" });
  await expect.poll(() => fetch(`http://127.0.0.1:${port}/`).then((response) => response.status, () => 0)).toBeGreaterThan(0);
}

function configuration(port: number, upstream: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${place}/${name};`).join(" ");
  return `daemon off; worker_processes 1; pid ${place}/pid;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary}
      server {
        listen 127.0.0.1:${port};
        location /tools/headcount/ { proxy_pass ${upstream}; proxy_http_version 1.1; }
      }
    }`;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
