// What a person does, as calls of the control API. Every act is followed by an immediate look at
// the state; what the server refuses is shown to the person as a toast.

import { post } from "./api.js";
import { acts } from "./follow.js";
import { ui } from "./model.js";

let refresh = async () => {};
let redraw = () => {};

/** Tells the actions how to look again and how to draw. */
export function wire(look, draw) {
  refresh = look;
  redraw = draw;
}

let toastSeq = 0;

/** Shows a sentence for a while. kind is "error" or "info". */
export function toast(text, kind = "error") {
  const id = ++toastSeq;
  ui.toasts = [...ui.toasts.slice(-3), { id, text, kind }];
  setTimeout(() => dismiss(id), 9000);
  redraw();
}

export function dismiss(id) {
  ui.toasts = ui.toasts.filter((t) => t.id !== id);
  redraw();
}

/** Runs one call; answers what the server said, or null after showing why it refused. */
export async function attempt(path, body, busyKey) {
  if (busyKey) {
    ui.pending.add(busyKey);
    redraw();
  }
  try {
    return (await post(path, body)) || {};
  } catch (err) {
    if (err.data && err.data.errors) return { errors: err.data.errors };
    toast(err.message);
    return null;
  } finally {
    if (busyKey) ui.pending.delete(busyKey);
    await refresh();
    redraw();
  }
}

/** Asks the person with a Slack confirm dialog; answers whether they agreed. */
export function confirmDialog(c) {
  return new Promise((resolve) => {
    ui.confirm = {
      ...c,
      done: (yes) => {
        ui.confirm = null;
        redraw();
        resolve(yes);
      },
    };
    redraw();
  });
}

let typing = Promise.resolve();

/**
 * Tells the workspace what now stands in a field, so that it is part of the next interaction's state.
 * Nothing of it reaches the app by itself. One at a time, and every click waits for the last one.
 */
export function typed(where, el, blockID, choice) {
  const body = { user: ui.user, ...where, action_id: el.action_id, block_id: blockID, ...choice };
  typing = typing.then(() => post("/control/slack/click", body)).catch((err) => console.warn("note what was typed", err));
}

/** A click on a Block Kit element. where is {channel, ts} or {view_id}. */
export async function click(where, el, blockID, choice, revert) {
  if (el.confirm && !(await confirmDialog(el.confirm))) {
    if (revert) revert();
    return;
  }
  await typing;
  acts({ ts: where.ts });
  const body = { user: ui.user, ...where, action_id: el.action_id, block_id: blockID, ...choice };
  await attempt("/control/slack/click", body, pendingKey(where, el, blockID));
}

export const pendingKey = (where, el, blockID) => [where.view_id || where.channel + where.ts, blockID, el.action_id, el.value || ""].join("|");

/** Sends a composer line: a slash command when it begins with one, a message otherwise. */
export function say(channel, text, thread) {
  acts({ aloud: !thread });
  const cmd = /^(\/[a-z0-9_-]+)(?:\s+([\s\S]*))?$/i.exec(text);
  if (cmd && !thread) return attempt("/control/slack/command", { user: ui.user, channel, command: cmd[1], text: (cmd[2] || "").trim() });
  const body = { user: ui.user, channel, text };
  if (thread) body.thread_ts = thread;
  return attempt("/control/slack/message", body);
}

/** Submits a modal. Errors by field stay with the view until the next try. */
export async function submit(view, values) {
  ui.busyView = view.id;
  ui.viewErrors.delete(view.id);
  redraw();
  await typing;
  acts();
  const answer = await attempt("/control/slack/submit", { user: ui.user, view_id: view.id, values });
  ui.busyView = "";
  if (answer && answer.errors && Object.keys(answer.errors).length) ui.viewErrors.set(view.id, answer.errors);
  redraw();
}

export function close(view, all) {
  const body = { user: ui.user, view_id: view.id };
  if (all) body.all = true;
  return attempt("/control/slack/close", body);
}

export const openHome = () => attempt("/control/slack/home", { user: ui.user });
