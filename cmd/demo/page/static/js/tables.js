// The table and data_table blocks. A data_table shows page_size rows at a time and keeps the page a
// person turned to.

import { h } from "./dom.js";
import { element } from "./elements.js";
import { icon } from "./icons.js";
import { plain } from "./mrkdwn.js";
import { richText } from "./richtext.js";

function cell(c, b, ctx) {
  if (!c) return null;
  switch (c.type) {
    case "rich_text":
      return richText(c.elements, ctx);
    case "raw_number":
      return c.text || String(c.value);
    case "action_cell":
      return c.element ? element(c.element, b, ctx) : cell(c.fallback, b, ctx);
    default:
      return plain(c.text || "", false);
  }
}

const numeric = (c) => c && c.type === "raw_number";

export function table(b, ctx) {
  const setting = (i) => (b.column_settings || [])[i] || {};
  const cls = (i) => `al-${setting(i).align || "left"}${setting(i).is_wrapped ? " wrap" : ""}`;
  const [head, ...rest] = b.rows || [];
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "group", "aria-label": "Table" },
    h(
      "table",
      { class: "grid" },
      h("thead", {}, h("tr", {}, (head || []).map((c, i) => h("th", { scope: "col", class: cls(i) }, cell(c, b, ctx))))),
      h("tbody", {}, rest.map((r) => h("tr", {}, r.map((c, i) => h("td", { class: cls(i) }, cell(c, b, ctx)))))),
    ),
  );
}

export function dataTable(b, ctx) {
  const [head, ...rest] = b.rows || [];
  const size = b.page_size || 5;
  const pages = Math.max(1, Math.ceil(rest.length / size));
  const key = `${ctx.whereKey}|${b.block_id}|page`;
  const page = Math.min(ctx.local.get(key, 0), pages - 1);
  const rowHead = b.row_header_column_index ?? -1;
  const from = page * size;
  const shown = rest.slice(from, from + size);
  const turn = (by, label, glyph) =>
    h("button", { type: "button", class: "btn icon-only", "aria-label": label, "data-testid": by > 0 ? "table-next" : "table-prev", disabled: page + by < 0 || page + by >= pages, onclick: () => ctx.local.set(key, Math.max(0, Math.min(pages - 1, ctx.local.get(key, 0) + by))) }, icon("caret", glyph));
  return h(
    "div",
    { class: "data-table" },
    h(
      "div",
      { class: "table-wrap", tabindex: 0, role: "group", "aria-label": b.caption },
      h(
        "table",
        { class: "grid" },
        h("caption", {}, plain(b.caption || "")),
        h("thead", {}, h("tr", {}, (head || []).map((c, i) => h("th", { scope: "col", class: numeric((rest[0] || [])[i]) ? "al-right" : "" }, cell(c, b, ctx))))),
        h("tbody", {}, shown.map((r) => h("tr", {}, r.map((c, i) => h(i === rowHead ? "th" : "td", { scope: i === rowHead ? "row" : null, class: numeric(c) ? "al-right" : "" }, cell(c, b, ctx)))))),
      ),
    ),
    pages > 1 && h("div", { class: "pager" }, h("span", {}, `${from + 1}–${from + shown.length} of ${rest.length}`), turn(-1, "Previous page", "left"), turn(1, "Next page", "right")),
  );
}
