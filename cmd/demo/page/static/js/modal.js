// Modals and confirm dialogs, as native <dialog> elements: the browser keeps focus inside and gives
// it back. All views of the stack stay in the page and only the top one is shown, so a view below
// keeps what was typed.

import { close, submit } from "./actions.js";
import { blocks } from "./blocks.js";
import { h } from "./dom.js";
import { readAll } from "./elements.js";
import { appMark, icon } from "./icons.js";
import { surface } from "./message.js";
import { modals, ui } from "./model.js";
import { flat, textObject } from "./mrkdwn.js";

const REQUIRED = { en: "Please complete this required field.", ko: "필수 입력란을 작성하세요." };

/** The person's open modals and, above them, an open confirm dialog. */
export function dialogs(snap, redraw) {
  if (!snap.me) return [];
  const stack = modals(snap.me);
  const out = stack.map((v, i) => modal(v, i === stack.length - 1, i > 0, snap, redraw));
  if (ui.confirm) out.push(confirm(ui.confirm, snap));
  return out;
}

// Opens a dialog, or brings it back to the top, and puts the focus where a person begins.
function show(el) {
  if (!el.open) el.showModal();
  const first = el.querySelector(".modal-body input:not([type=hidden]),.modal-body textarea,.modal-body select") || el.querySelector("[data-first]");
  if (first && !el.contains(document.activeElement)) first.focus({ preventScroll: true }); // what is about to happen stands above
}

// Escape is taken here rather than by the browser, which would close the dialog whatever the app says.
function onEscape(run) {
  return {
    oncancel: (e) => e.preventDefault(),
    onkeydown: (e) => {
      if (e.key !== "Escape") return;
      e.preventDefault();
      e.stopPropagation();
      run();
    },
  };
}

function modal(v, top, pushed, snap, redraw) {
  const ctx = surface(snap, { view_id: v.id }, redraw);
  ctx.errors = ui.viewErrors.get(v.id) || v.errors || {};
  const busy = ui.busyView === v.id;
  const dismiss = () => close(v, false);
  const send = (e) => {
    e.preventDefault();
    if (busy) return;
    const root = e.target.closest("dialog");
    const values = readAll(root);
    const missing = incomplete(v, values, snap.me);
    if (Object.keys(missing).length) {
      ui.viewErrors.set(v.id, missing);
      redraw();
      root.querySelector(".bk-input.wrong input, .bk-input.wrong textarea, .bk-input.wrong select")?.focus();
      return;
    }
    submit(v, values);
  };
  return h(
    "dialog",
    {
      key: v.id,
      class: "modal" + (top ? "" : " below"),
      "aria-labelledby": "title-" + v.id,
      "data-testid": "modal",
      "data-view-id": v.id,
      "data-callback-id": v.callback_id,
      "data-top": String(top),
      made: show,
      after: (el) => {
        if (top && el._below) show(el);
        el._below = !top;
        const wrong = Object.keys(ctx.errors).join(" ");
        if (wrong && wrong !== el._wrong) el.querySelector(".bk-input.wrong")?.scrollIntoView({ block: "nearest" });
        el._wrong = wrong;
      },
      gone: (el) => el.close(),
      ...onEscape(dismiss),
    },
    h(
      "form",
      { class: "modal-form", novalidate: true, onsubmit: send, "aria-busy": String(busy) },
      h(
        "header",
        { class: "modal-head" },
        pushed && h("button", { type: "button", class: "tool", "aria-label": "Back", "data-testid": "modal-back", onclick: dismiss }, icon("back")),
        h("span", { class: "avatar s28" }, appMark()),
        h("h2", { id: "title-" + v.id, "data-testid": "modal-title" }, textObject(v.title, ctx)),
        h("button", { type: "button", class: "tool", "aria-label": "Close", "data-testid": "modal-x", onclick: () => close(v, true) }, icon("close")),
      ),
      h("div", { class: "modal-body", tabindex: -1, "data-first": true }, blocks(v.blocks, ctx)),
      h(
        "footer",
        { class: "modal-foot" },
        h("button", { type: "button", class: "btn large", "data-testid": "modal-close", onclick: dismiss }, flat(v.close) || (snap.me.locale?.startsWith("ko") ? "취소" : v.submit ? "Cancel" : "Close")),
        (v.submit || hasInput(v)) && h("button", { type: "submit", class: "btn large primary", "data-testid": "modal-submit", "aria-busy": String(busy), disabled: busy }, busy && h("span", { class: "spinner", "aria-hidden": "true" }), h("span", {}, flat(v.submit) || "Submit")),
      ),
    ),
  );
}

const hasInput = (v) => (v.blocks || []).some((b) => b.type === "input");

// What Slack's client refuses by itself before an app hears of it: an empty required field, or a
// text outside its lengths.
function incomplete(v, values, me) {
  const out = {};
  const required = me.locale && me.locale.startsWith("ko") ? REQUIRED.ko : REQUIRED.en;
  for (const b of v.blocks || []) {
    if (b.type !== "input" || !b.element) continue;
    const state = (values[b.block_id] || {})[b.element.action_id] || {};
    const given = Object.entries(state).find(([k]) => k !== "type");
    const value = given && given[1];
    const empty = value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
    if (empty && !b.optional) out[b.block_id] = required;
    const min = b.element.min_length;
    if (!empty && min && String(value).length < min) out[b.block_id] = `Please enter at least ${min} characters.`;
  }
  return out;
}

function confirm(c, snap) {
  const ctx = surface(snap, { view_id: "confirm" }, () => {});
  const no = () => c.done(false);
  return h(
    "dialog",
    { key: "confirm", class: "modal confirm", role: "alertdialog", "aria-labelledby": "confirm-title", "data-testid": "confirm", made: (el) => { el.showModal(); el.querySelector("[data-testid=confirm-ok]").focus(); }, gone: (el) => el.close(), ...onEscape(no) },
    h("header", { class: "modal-head" }, h("h2", { id: "confirm-title" }, textObject(c.title, ctx)), h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: no }, icon("close"))),
    h("div", { class: "modal-body" }, h("div", { class: "bk-text" }, textObject(c.text, ctx))),
    h(
      "footer",
      { class: "modal-foot" },
      h("button", { type: "button", class: "btn large", "data-testid": "confirm-deny", onclick: no }, flat(c.deny) || "Cancel"),
      h("button", { type: "button", class: "btn large " + (c.style === "danger" ? "danger" : "primary"), "data-testid": "confirm-ok", onclick: () => c.done(true) }, flat(c.confirm) || "Yes"),
    ),
  );
}
