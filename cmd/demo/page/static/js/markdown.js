// The "markdown" block: standard Markdown rather than mrkdwn. Headings, emphasis, lists, task lists,
// quotes, fenced code, tables, links and rules; anything else is shown as it was written.

import { h } from "./dom.js";
import { link, plain } from "./mrkdwn.js";

/** A markdown block's text as nodes. */
export function markdown(src, ctx) {
  const out = [];
  const rows = src.replace(/\r/g, "").split("\n");
  let i = 0;
  const take = (test) => {
    const got = [];
    while (i < rows.length && test(rows[i])) got.push(rows[i++]);
    return got;
  };
  while (i < rows.length) {
    const row = rows[i];
    let m;
    if (/^\s*$/.test(row)) {
      i++;
    } else if ((m = /^```/.exec(row))) {
      i++;
      const body = take((r) => !/^```/.test(r));
      i++;
      out.push(h("pre", { class: "pre" }, body.join("\n")));
    } else if ((m = /^(#{1,6})\s+(.*)$/.exec(row))) {
      i++;
      out.push(h("div", { class: "md-h md-h" + m[1].length, role: "heading", "aria-level": Math.max(3, m[1].length) }, span(m[2], ctx)));
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(row)) {
      i++;
      out.push(h("hr", {}));
    } else if (/^>/.test(row)) {
      out.push(h("blockquote", {}, markdown(take((r) => /^>/.test(r)).map((r) => r.replace(/^> ?/, "")).join("\n"), ctx)));
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(row)) {
      out.push(list(take((r) => /^\s*([-*+]|\d+[.)])\s+/.test(r) || /^\s{2,}\S/.test(r)), ctx));
    } else if (/^\s*\|.*\|\s*$/.test(row) && /^\s*\|[\s:|-]+\|\s*$/.test(rows[i + 1] || "")) {
      out.push(table(take((r) => /^\s*\|.*\|\s*$/.test(r)), ctx));
    } else {
      const para = [];
      do para.push(rows[i++]);
      while (i < rows.length && !/^\s*$|^```|^#{1,6}\s|^>|^\s*([-*+]|\d+[.)])\s/.test(rows[i]));
      out.push(h("div", { class: "md-p" }, para.map((r) => h("span", { class: "line" }, span(r, ctx)))));
    }
  }
  return out;
}

function list(rows, ctx) {
  const ordered = /^\s*\d/.test(rows[0]);
  const indent = /^\s*/.exec(rows[0])[0].length;
  const items = [];
  for (const r of rows) {
    const m = /^(\s*)(?:[-*+]|\d+[.)])\s+(.*)$/.exec(r);
    if (m && m[1].length <= indent + 1) items.push({ text: m[2], sub: [] });
    else if (items.length) items[items.length - 1].sub.push(r);
  }
  return h(
    ordered ? "ol" : "ul",
    { class: "list" },
    items.map((it) => {
      const task = /^\[([ xX])\]\s+(.*)$/.exec(it.text);
      const head = task ? [h("span", { "aria-hidden": "true" }, task[1] === " " ? "☐ " : "☑ "), span(task[2], ctx)] : span(it.text, ctx);
      const nested = it.sub.length && /^\s*([-*+]|\d+[.)])\s/.test(it.sub[0]);
      return h("li", {}, head, nested ? list(it.sub, ctx) : it.sub.map((s) => [" ", span(s.trim(), ctx)]));
    }),
  );
}

function table(rows, ctx) {
  const cells = (r) => r.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((c) => c.trim());
  const head = cells(rows[0]);
  return h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "grid" },
      h("thead", {}, h("tr", {}, head.map((c) => h("th", { scope: "col" }, span(c, ctx))))),
      h("tbody", {}, rows.slice(2).map((r) => h("tr", {}, cells(r).map((c) => h("td", {}, span(c, ctx)))))),
    ),
  );
}

const RULES = [
  [/`([^`]+)`/, (m) => h("code", {}, m[1])],
  [/\[([^\]]+)\]\(([^()\s]+)\)/, (m, ctx) => link(m[2], span(m[1], ctx), ctx)],
  [/<(https?:[^<>\s]+)>/, (m, ctx) => link(m[1], null, ctx)],
  [/\*\*(?=\S)(.+?\S?)\*\*|__(?=\S)(.+?\S?)__/, (m, ctx) => h("b", {}, span(m[1] || m[2], ctx))],
  [/~~(?=\S)(.+?)~~/, (m, ctx) => h("s", {}, span(m[1], ctx))],
  [/(?<![\w*])\*(?=\S)([^*]+)\*|(?<!\w)_(?=\S)([^_]+)_(?!\w)/, (m, ctx) => h("i", {}, span(m[1] || m[2], ctx))],
];

function span(s, ctx) {
  let best = null;
  for (const [re, make] of RULES) {
    const m = re.exec(s);
    if (m && (!best || m.index < best.m.index)) best = { m, make };
  }
  if (!best) return s === "" ? [] : [plain(s.replace(/\\([\\`*_{}[\]()#+\-.!|~>])/g, "$1"))];
  const end = best.m.index + best.m[0].length;
  return [...span(s.slice(0, best.m.index), ctx), best.make(best.m, ctx), ...span(s.slice(end), ctx)];
}
