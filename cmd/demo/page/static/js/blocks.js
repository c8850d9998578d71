// Block Kit as Slack lays it out. One function per block type; an unknown type is a grey box with
// its name, so that nothing a bot sends is ever silently invisible.

import { h } from "./dom.js";
import { element, image } from "./elements.js";
import { icon } from "./icons.js";
import { flat, mrkdwn, plain, textObject } from "./mrkdwn.js";
import { markdown } from "./markdown.js";
import { richText } from "./richtext.js";
import { dataTable, table } from "./tables.js";

const KINDS = {
  section,
  header: (b, ctx) => h("div", { class: "bk-header", role: "heading", "aria-level": 3 }, textObject(b.text, ctx)),
  divider: () => h("hr", { class: "bk-divider" }),
  context: (b, ctx) => h("div", { class: "bk-context" }, (b.elements || []).map((e) => (e.type === "image" ? image(e, {}) : h("span", { class: "ctx-text" }, textObject(e, ctx))))),
  actions: (b, ctx) => h("div", { class: "bk-actions" }, (b.elements || []).map((e) => element(e, b, ctx))),
  context_actions: (b, ctx) => h("div", { class: "bk-actions small" }, (b.elements || []).map((e) => element(e, b, ctx))),
  image: (b, ctx) => h("figure", { class: "bk-image" }, b.title && h("figcaption", {}, textObject(b.title, ctx)), image(b, {})),
  input,
  rich_text: (b, ctx) => h("div", { class: "bk-rich" }, richText(b.elements, ctx)),
  markdown: (b, ctx) => h("div", { class: "bk-markdown" }, markdown(b.text || "", ctx)),
  table,
  data_table: dataTable,
  alert,
  container,
  card,
  carousel: (b, ctx) => h("div", { class: "bk-carousel", tabindex: 0, role: "group", "aria-label": "Cards" }, (b.elements || []).map((c, i) => h("div", { key: i }, card(c, ctx)))),
  layout: (b, ctx) => h("div", { class: "bk-layout", "aria-label": b.label }, b.is_label_visible && h("b", {}, b.label), (b.rows || []).map((r) => h("div", { class: "row" }, (r.items || []).map((it) => one(it.block, ctx))))),
  video: (b, ctx) => h("div", { class: "bk-video" }, icon("image"), textObject(b.title, ctx)),
};

/** All blocks of a message, modal or Home. */
export function blocks(list, ctx) {
  return (list || []).map((b, i) =>
    h("div", { key: b.type === "input" ? "in:" + b.block_id : i + ":" + b.type, class: "block block-" + b.type, "data-block-id": b.block_id, "data-block-type": b.type }, one(b, ctx)),
  );
}

function one(b, ctx) {
  const kind = KINDS[b.type];
  if (!kind) return h("div", { class: "unknown", "data-testid": "unknown-block" }, `This page does not draw “${b.type}” blocks.`);
  try {
    return kind(b, ctx);
  } catch (err) {
    console.error("draw a block", b.type, err);
    return h("div", { class: "unknown", "data-testid": "unknown-block" }, `A “${b.type}” block that could not be drawn.`);
  }
}

function section(b, ctx) {
  return h(
    "div",
    { class: "bk-section" },
    h(
      "div",
      { class: "bk-body" },
      b.text && h("div", { class: "bk-text" }, textObject(b.text, ctx)),
      b.fields && h("div", { class: "bk-fields" }, b.fields.map((f) => h("div", { class: "bk-field" }, textObject(f, ctx)))),
    ),
    b.accessory && h("div", { class: "bk-accessory" }, element(b.accessory, b, ctx)),
  );
}

function input(b, ctx) {
  const el = b.element || {};
  const errors = ctx.errors || {};
  const wrong = errors[b.block_id];
  const grouped = /^(radio_buttons|checkboxes|multi_)/.test(el.type);
  const label = [textObject(b.label, ctx), b.optional && h("span", { class: "optional" }, " (optional)")];
  return h(
    grouped ? "fieldset" : "div",
    { class: "bk-input" + (wrong ? " wrong" : "") },
    grouped ? h("legend", {}, label) : h("label", { for: ctx.idFor(b, el) }, label),
    element(el, b, ctx, true),
    h(
      "div",
      { id: ctx.describedBy(b), class: "under" },
      wrong && h("div", { class: "field-error", role: "alert", "data-testid": "field-error", "data-block-id": b.block_id }, icon("alert"), plain(wrong)),
      b.hint && h("div", { class: "hint" }, textObject(b.hint, ctx)),
    ),
  );
}

const ALERT_ICON = { default: "info", info: "info", warning: "alert", error: "alert", success: "check" };

function alert(b, ctx) {
  const level = b.level in ALERT_ICON ? b.level : "default";
  return h("div", { class: "bk-alert " + level, role: level === "error" || level === "warning" ? "alert" : "note" }, icon(ALERT_ICON[level]), h("div", {}, textObject(b.text, ctx)));
}

function container(b, ctx) {
  const key = `${ctx.whereKey}|${b.block_id}|folded`;
  const folded = b.is_collapsible && ctx.local.get(key, !!b.default_collapsed);
  const head = [
    b.icon && image(b.icon, {}),
    h("div", { class: "grow" }, h("div", { class: "c-title" }, b.rich_text_title ? richText(b.rich_text_title.elements, ctx) : textObject(b.title, ctx)), b.subtitle && h("div", { class: "c-sub" }, textObject(b.subtitle, ctx))),
  ];
  return h(
    "div",
    { class: `bk-container width-${b.width || "standard"}` },
    b.is_collapsible
      ? h("button", { type: "button", class: "c-head", "aria-expanded": String(!folded), onclick: () => ctx.local.set(key, !folded) }, head, icon("caret", folded ? "folded" : ""))
      : (b.title || b.rich_text_title) && h("div", { class: "c-head" + (b.has_header_divider ? " ruled" : "") }, head),
    !folded && h("div", { class: "c-body" }, blocks(b.child_blocks || b.blocks, ctx)),
  );
}

function card(b, ctx) {
  const actions = Array.isArray(b.actions) ? b.actions : (b.actions && b.actions.elements) || [];
  return h(
    "div",
    { class: "bk-card" },
    b.hero_image && image(b.hero_image, { class: "hero" }),
    h("div", { class: "card-head" }, b.icon && image(b.icon, {}), h("div", {}, b.title && h("div", { class: "c-title" }, textObject(b.title, ctx)), b.subtitle && h("div", { class: "c-sub" }, textObject(b.subtitle, ctx)))),
    b.body && h("div", { class: "bk-text" }, textObject(b.body, ctx)),
    b.subtext && h("div", { class: "c-sub" }, textObject(b.subtext, ctx)),
    actions.length > 0 && h("div", { class: "bk-actions" }, actions.map((e) => element(e, b, ctx))),
  );
}

/** Old-style attachments: a coloured bar with text or blocks. */
export function attachments(list, ctx) {
  return (list || []).map((a, i) =>
    h("div", { key: "att" + i, class: "attachment" }, a.blocks ? blocks(a.blocks, ctx) : mrkdwn(a.text || a.fallback || "", ctx)),
  );
}

/** A view's or message's plain title. */
export const titleOf = (t) => flat(t);
