// Lets `vite` and `vite preview` answer like a process under headcount, so that the page can be worked on alone.

import type { Plugin } from "vite";
import { Fixture } from "./fixture.ts";

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function fixture(): Plugin {
  const answers = new Fixture();
  return {
    name: "headcount-fixture",
    configureServer(server) {
      server.middlewares.use(answers.handle);
    },
    configurePreviewServer(server) {
      server.middlewares.use((_, response, next) => {
        response.setHeader("content-security-policy", POLICY);
        next();
      });
      server.middlewares.use(answers.handle);
    },
  };
}
