import { expect, test } from "vitest";
import { traceHref } from "../src/parts/trace.tsx";

const URL = "https://jaeger.example/trace/{trace_id}?of={trace_id}";

test("the id stands wherever the URL has its place", () => {
  expect(traceHref(URL, "4bf9")).toBe("https://jaeger.example/trace/4bf9?of=4bf9");
});

test("an id from outside stays one part of the path", () => {
  expect(traceHref("http://jaeger/trace/{trace_id}", "a/../b?c#d\u202e&<")).toBe("http://jaeger/trace/a%2F..%2Fb%3Fc%23d%E2%80%AE%26%3C");
  expect(traceHref("http://jaeger/trace/{trace_id}", "$&")).toBe("http://jaeger/trace/%24%26");
});

test("there is no link without a URL of the web", () => {
  for (const url of [null, undefined, "", "javascript:alert(1)//{trace_id}", "data:text/html,/{trace_id}", "https://{trace_id}/", "//jaeger/{trace_id}"]) {
    expect(traceHref(url, "4bf9")).toBeNull();
  }
});
