// The end of a stop as one HTML file: the page's content, its style, its charts as pictures, its data. The
// file needs no server.

import { plain } from "./format.ts";
import type { Kept } from "./memory.ts";

export function exportPage(of: Kept, data: unknown): void {
  const shown = document.querySelector<HTMLElement>(".drain");
  if (shown === null) return;
  const url = URL.createObjectURL(new Blob([documentOf(shown, of, data)], { type: "text/html" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `${of.service.replace(/[^\w.-]+/g, "-") || "service"}-${of.pid}-stop.html`;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function documentOf(shown: HTMLElement, of: Kept, data: unknown): string {
  // A document that is never shown: nothing in it is loaded.
  const paper = document.implementation.createHTMLDocument("");
  const copy = paper.importNode(shown, true);
  const pictures = [...shown.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
  copy.querySelectorAll("canvas").forEach((canvas, index) => {
    const picture = paper.createElement("img");
    picture.src = pictures[index] ?? "";
    picture.alt = shown.querySelector(".burn")?.getAttribute("aria-label") ?? "";
    canvas.replaceWith(picture);
  });
  // What acts needs the page; text that copies itself stays as text.
  for (const element of copy.querySelectorAll(".drain-bar, .u-over, .c-do")) element.remove();
  for (const button of copy.querySelectorAll("button, a")) {
    const text = paper.createElement("span");
    text.className = button.className;
    text.append(...button.childNodes);
    button.replaceWith(text);
  }
  const styles = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules].map((rule) => rule.cssText)).join("\n");
  const theme = document.documentElement.dataset["theme"];
  const json = JSON.stringify(data, null, 2).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en"${theme === undefined ? "" : ` data-theme="${theme}"`}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escaped(`${plain(of.service)} pid ${of.pid}: its stop`)}</title>
<style>${styles.replaceAll("</", "<\\/")}</style>
</head>
<body>
<main id="main">${copy.outerHTML}</main>
<script type="application/json" id="report">${json}</script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
