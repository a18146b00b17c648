import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/table.css";
import "./styles/parts.css";
import "./styles/views.css";
import "./styles/drain.css";
import "./styles/print.css";
import { App } from "./app.tsx";
import { watchVisibility } from "./frame.ts";
import { listen } from "./keys.ts";
import { start } from "./live.ts";
import { follow, followLinks } from "./place.ts";
import { watchSeat } from "./returning.ts";
import { followTheme } from "./theme.ts";

// The place first, which may name a process; then the requests, whose answers come while the rest begins.
follow();
start();
followTheme();
followLinks();
watchSeat();
listen();
watchVisibility();

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
