// The page's own line icons, drawn on a 20 by 20 grid.

import { h } from "./dom.js";

const PATHS = {
  hash: "M7.5 3 6 17M14 3l-1.500 14M3.500 7.500h13.500M3 12.500h13.500",
  lock: "M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3",
  menu: "M3 5.500h14M3 10h14M3 14.500h14",
  dots: "M4.500 10h.01M10 10h.01M15.500 10h.01",
  caret: "M5 8l5 5 5-5",
  close: "M5 5l10 10M15 5 5 15",
  send: "M3 4l14 6-14 6 2.500-6zM5.500 10H17",
  eye: "M1.500 10S4.500 4.500 10 4.500 18.500 10 18.500 10 15.500 15.500 10 15.500 1.500 10 1.500 10zM10 7.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
  reply: "M3 5.500C3 4.500 3.700 4 4.500 4h11c.8 0 1.500.5 1.500 1.500v7c0 1-.7 1.500-1.500 1.500H9l-4 3v-3h-.5C3.700 14 3 13.500 3 12.500z",
  image: "M3 4h14v12H3zM3 14l4-4 3 3 3-4 4 4M7 7.500h.01",
  trash: "M4 6h12M8 6V4h4v2M5.500 6l1 11h7l1-11",
  home: "M3 9.500 10 3.500l7 6V17h-5v-5H8v5H3z",
  info: "M10 9v5M10 6.500h.01M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15z",
  alert: "M10 3 2 17h16zM10 8.500v4M10 14.700h.01",
  check: "M4 10.500l4 4 8-9",
  clock: "M10 2.500a7.500 7.500 0 1 0 0 15 7.500 7.500 0 0 0 0-15zM10 6v4.200l3 1.800",
  search: "M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM13 13l4 4",
  back: "M12 4l-6 6 6 6",
  panel: "M3 4h14v12H3zM12 4v12",
  moon: "M16.500 12A7 7 0 0 1 8 3.500 7 7 0 1 0 16.500 12z",
  key: "M7 9.500a3.500 3.500 0 1 0 0 .1zM7 9.500",
};

/** One icon; decorative, so hidden from assistive technology. */
export function icon(name, cls = "") {
  return h("svg", { class: "icon " + cls, viewBox: "0 0 20 20", "aria-hidden": "true", focusable: "false" }, h("path", { d: PATHS[name] || PATHS.dots }));
}

/** The app's avatar: a key inside a shield. */
export function appMark() {
  return h(
    "svg",
    { class: "app-mark", viewBox: "0 0 36 36", "aria-hidden": "true", focusable: "false" },
    h("rect", { width: 36, height: 36, rx: 8, class: "mark-bg" }),
    h("path", { class: "mark-shield", d: "M18 6l9 3.200v7.600c0 6-3.800 10.300-9 12.700-5.200-2.400-9-6.700-9-12.700V9.200z" }),
    h("path", { class: "mark-key", d: "M18 11.500a3.300 3.300 0 0 1 1.300 6.330V24h-2.600v-6.170A3.300 3.300 0 0 1 18 11.500z" }),
  );
}
