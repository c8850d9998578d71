// Block Kit's interactive elements. Every element's root carries data-action-id, data-block-id and
// data-type; readState() turns what a person entered into the shape of view.state.values.
//
// Selects are native <select> elements: keyboards, screen readers and browser tests know them.

import { h } from "./dom.js";
import { flat, textObject } from "./mrkdwn.js";
import { icon } from "./icons.js";

const TEXTUAL = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "number", rich_text_input: "text" };
const PICKERS = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };

/** One interactive element (or image) as a node. `inInput` says that it stands in an input block. */
export function element(el, block, ctx, inInput) {
  const base = {
    key: `${el.type}:${el.action_id || ""}:${el.value || ""}`,
    "data-action-id": el.action_id,
    "data-block-id": block.block_id,
    "data-type": el.type,
    spec: el,
  };
  const fire = (choice, revert) => {
    if (inInput && !block.dispatch_action) return ctx.type(el, block.block_id, choice);
    return ctx.act(el, block.block_id, choice, revert);
  };
  if (el.type === "button") return button(el, base, ctx, block, fire);
  if (el.type === "icon_button") return iconButton(el, base, ctx, fire);
  if (el.type === "feedback_buttons") return feedback(el, base, fire);
  if (el.type === "image") return image(el, base);
  if (el.type === "overflow") return overflow(el, base, ctx, block, fire);
  if (/^multi_/.test(el.type)) return multi(el, base, ctx, fire);
  if (/_select$/.test(el.type)) return select(el, base, ctx, block, fire);
  if (el.type === "radio_buttons" || el.type === "checkboxes") return choices(el, base, ctx, fire);
  if (el.type in TEXTUAL) return textInput(el, base, ctx, block, fire);
  if (el.type in PICKERS) return picker(el, base, ctx, block, fire);
  return h("span", { ...base, class: "unknown inline" }, el.type);
}

function button(el, base, ctx, block, fire) {
  const label = flat(el.text);
  const attrs = {
    ...base,
    "data-value": el.value,
    "data-testid": "bk-button",
    class: "btn" + (el.style === "primary" ? " primary" : el.style === "danger" ? " danger" : ""),
    "aria-label": el.accessibility_label || null,
    title: label.length > 30 ? label : null,
  };
  if (ctx.pending && ctx.pending(el, block.block_id)) attrs["aria-busy"] = "true";
  const body = h("span", { class: "btn-text" }, textObject(el.text, ctx));
  if (el.url && /^https?:/i.test(el.url)) {
    const inside = ctx.permalink(el.url);
    const way = inside ? { href: inside } : { href: el.url, target: "_blank", rel: "noopener noreferrer" };
    return h("a", { ...attrs, ...way, onclick: () => fire({ value: el.value }) }, body);
  }
  return h("button", { ...attrs, type: "button", onclick: () => fire({ value: el.value }) }, body);
}

function iconButton(el, base, ctx, fire) {
  if (el.visible_to_user_ids && !el.visible_to_user_ids.includes(ctx.me.id)) return null;
  const label = el.accessibility_label || flat(el.text);
  return h("button", { ...base, type: "button", class: "btn icon-only", "aria-label": label, title: label, onclick: () => fire({ value: el.value }) }, icon(el.icon === "trash" ? "trash" : "dots"));
}

function feedback(el, base, fire) {
  return h(
    "span",
    { ...base, class: "row" },
    [el.positive_button, el.negative_button].map((b) => h("button", { type: "button", class: "btn", "data-value": b.value, onclick: () => fire({ value: b.value }) }, flat(b.text))),
  );
}

/** An image. Only pictures of this very server are loaded; the page asks nobody else for anything. */
export function image(el, base) {
  const url = el.image_url || "";
  const own = url.startsWith("/") || url.startsWith(location.origin + "/") || /^data:image\/(png|gif|jpeg);/.test(url);
  if (own) return h("img", { ...base, class: "bk-img", src: url, alt: el.alt_text || "" });
  return h("span", { ...base, class: "bk-img placeholder", role: "img", "aria-label": el.alt_text || "image", title: `${el.alt_text || ""}\n${url}` }, icon("image"));
}

function overflow(el, base, ctx, block, fire) {
  const key = `${ctx.whereKey}|${block.block_id}|${el.action_id}`;
  const open = ctx.menu.is(key);
  return h(
    "span",
    { ...base, class: "menu-anchor", "data-testid": "overflow" },
    h("button", { type: "button", class: "btn icon-only", "aria-haspopup": "menu", "aria-expanded": String(open), "aria-label": "More actions", onclick: (e) => { e.stopPropagation(); ctx.menu.toggle(key); } }, icon("dots")),
    open &&
      h(
        "div",
        { class: "menu", role: "menu", made: (m) => m.querySelector("button")?.focus() },
        (el.options || []).map((o) =>
          h("button", { type: "button", role: "menuitem", "data-testid": "overflow-option", "data-value": o.value, onclick: () => { ctx.menu.toggle(key); fire({ value: o.value }); } },
            textObject(o.text, ctx), o.description && h("small", {}, textObject(o.description, ctx))),
        ),
      ),
  );
}

function candidates(el, ctx) {
  if (/users_select$/.test(el.type)) {
    return [...ctx.users.values()].filter((u) => !u.deleted && !u.is_bot).map((u) => ({ value: u.id, text: u.name }));
  }
  if (/(channels|conversations)_select$/.test(el.type)) {
    return [...ctx.channels.values()].filter((c) => !c.is_im).map((c) => ({ value: c.id, text: "#" + c.name }));
  }
  return (el.options || []).map((o) => ({ value: o.value, text: optionText(o), option: o }));
}

const optionText = (o) => flat(o.text) + (o.description ? " · " + flat(o.description) : "");

function initialOf(el) {
  return el.initial_user || el.initial_channel || el.initial_conversation || (el.initial_option && el.initial_option.value) || "";
}

const SELECTED = { users_select: "selected_user", channels_select: "selected_channel", conversations_select: "selected_conversation" };

function select(el, base, ctx, block, fire) {
  const first = initialOf(el);
  const opt = (o) => h("option", { key: o.value, value: o.value, selected: o.value === first }, o.text);
  const groups = el.option_groups
    ? el.option_groups.map((g) => h("optgroup", { label: flat(g.label) }, g.options.map((o) => opt({ value: o.value, text: optionText(o) }))))
    : candidates(el, ctx).map(opt);
  return h(
    "span",
    { ...base, class: "select" },
    h(
      "select",
      {
        id: ctx.idFor(block, el),
        "aria-label": flat(el.placeholder) || "Select an option",
        "aria-describedby": ctx.describedBy(block),
        made: (s) => { s._was = s.value; },
        onchange: (e) => {
          const s = e.target;
          const was = s._was;
          s._was = s.value;
          fire({ value: s.value }, () => { s.value = s._was = was; });
        },
      },
      h("option", { value: "", selected: first === "", hidden: !inOptional(block) }, flat(el.placeholder) || "Select an option"),
      groups,
    ),
    icon("caret"),
  );
}

const inOptional = (block) => block.type === "input" && block.optional;

function findOption(el, value) {
  const all = el.option_groups ? el.option_groups.flatMap((g) => g.options) : el.options || [];
  return all.find((o) => o.value === value) || null;
}

function choices(el, base, ctx, fire) {
  const radio = el.type === "radio_buttons";
  const name = `${ctx.whereKey}|${base["data-block-id"]}|${el.action_id}`;
  const on = new Set(radio ? [el.initial_option && el.initial_option.value] : (el.initial_options || []).map((o) => o.value));
  const changed = (e) => {
    const root = e.target.closest("[data-action-id]");
    const now = readState(root);
    fire({ value: radio ? now.selected_option.value : now.selected_options.map((o) => o.value) });
  };
  return h(
    "div",
    { ...base, class: "choices", role: radio ? "radiogroup" : "group" },
    (el.options || []).map((o) =>
      h(
        "label",
        { key: o.value, class: "choice" },
        h("input", { type: radio ? "radio" : "checkbox", name, value: o.value, checked: on.has(o.value), "data-value": o.value, onchange: changed }),
        h("span", {}, textObject(o.text, ctx), o.description && h("small", {}, textObject(o.description, ctx))),
      ),
    ),
  );
}

function multi(el, base, ctx, fire) {
  const on = new Set(el.initial_users || el.initial_channels || el.initial_conversations || (el.initial_options || []).map((o) => o.value));
  return h(
    "div",
    { ...base, class: "choices boxed", role: "group", "aria-label": flat(el.placeholder) },
    candidates(el, ctx).map((o) =>
      h("label", { key: o.value, class: "choice" }, h("input", { type: "checkbox", value: o.value, checked: on.has(o.value), "data-value": o.value, onchange: (e) => fire({ value: tickedIn(e.target.closest("[data-action-id]")) }) }), h("span", {}, h("bdi", {}, o.text))),
    ),
  );
}

function textInput(el, base, ctx, block, fire) {
  const common = {
    id: ctx.idFor(block, el),
    value: typeof el.initial_value === "string" ? el.initial_value : "",
    placeholder: flat(el.placeholder) || null,
    maxlength: el.max_length || 3000,
    "aria-describedby": ctx.describedBy(block),
    "data-testid": "bk-input",
    made: el.focus_on_load ? (n) => n.focus() : null,
    spellcheck: "false",
    autocomplete: "off",
    onchange: (e) => ctx.type(el, block.block_id, { value: e.target.value }),
    onkeydown: (e) => {
      if (e.key === "Enter" && !e.isComposing && !el.multiline && block.dispatch_action) {
        e.preventDefault();
        fire({ value: e.target.value });
      }
    },
  };
  if (el.type === "number_input") common.step = el.is_decimal_allowed ? "any" : "1";
  const node = el.multiline || el.type === "rich_text_input" ? h("textarea", { ...common, rows: 3 }) : h("input", { ...common, type: TEXTUAL[el.type] });
  return h("span", { ...base, class: "text-input" }, node);
}

function picker(el, base, ctx, block, fire) {
  const first = el.initial_date || el.initial_time || (el.initial_date_time ? new Date(el.initial_date_time * 1000).toISOString().slice(0, 16) : "");
  return h("span", { ...base, class: "text-input picker" }, h("input", { id: ctx.idFor(block, el), type: PICKERS[el.type], value: first, "aria-label": flat(el.placeholder) || null, onchange: (e) => fire({ value: el.type === "datetimepicker" ? readState(e.target.closest("[data-action-id]")).selected_date_time : e.target.value }) }));
}

const tickedIn = (root) => [...root.querySelectorAll("input:checked")].map((i) => i.dataset.value);

/** What a person entered into one element, in the shape of view.state.values[block][action]; null for a button. */
export function readState(root) {
  const el = root._spec;
  const type = el.type;
  if (type in TEXTUAL) return { type, value: root.querySelector("input,textarea").value || null };
  if (type === "datepicker") return { type, selected_date: root.querySelector("input").value || null };
  if (type === "timepicker") return { type, selected_time: root.querySelector("input").value || null };
  if (type === "datetimepicker") {
    const v = root.querySelector("input").value;
    return { type, selected_date_time: v ? Math.floor(Date.parse(v + "Z") / 1000) : null };
  }
  const ticked = () => tickedIn(root);
  if (type === "radio_buttons") return { type, selected_option: findOption(el, ticked()[0]) };
  if (type === "checkboxes" || type === "multi_static_select") return { type, selected_options: ticked().map((v) => findOption(el, v)) };
  if (type === "multi_users_select") return { type, selected_users: ticked() };
  if (type === "multi_channels_select") return { type, selected_channels: ticked() };
  if (type === "multi_conversations_select") return { type, selected_conversations: ticked() };
  if (/_select$/.test(type)) {
    const v = root.querySelector("select").value;
    if (SELECTED[type]) return { type, [SELECTED[type]]: v || null };
    return { type, selected_option: v ? findOption(el, v) : null };
  }
  return null;
}

/** All of a surface's state: {block_id: {action_id: {…}}}. */
export function readAll(root) {
  const values = {};
  for (const el of root.querySelectorAll("[data-action-id]")) {
    const state = el._spec && readState(el);
    if (!state) continue;
    const b = el.dataset.blockId;
    (values[b] = values[b] || {})[el.dataset.actionId] = state;
  }
  return values;
}
