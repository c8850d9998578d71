// Keeps in view what a person has just caused: their own message, the answer that only they see, the
// reply in the thread beside it. Somebody who is at the end of a list stays at its end. Somebody who
// scrolls after what they did has looked elsewhere, and is left alone until they do something again.

import { store, ui } from "./model.js";
import { go, narrow } from "./route.js";

const PATIENCE = 20000; // milliseconds until what arrives is no answer any more
const KEYS = new Set(["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown", " "]);

let act = null;

/**
 * Notes that the person does something now. aloud is what everybody may answer, such as a command; a
 * click is answered to the person alone, in a thread, or in the place of the message at ts.
 */
export function acts({ aloud = false, ts = "" } = {}) {
  let last = "";
  let was = "";
  for (const c of store.slack.channels || []) {
    for (const m of c.messages || []) {
      if (m.ts > last) last = m.ts;
      if (ts && m.ts === ts) was = content(m);
    }
  }
  act = { user: ui.user, aloud, ts, was, room: last, thread: last, until: performance.now() + PATIENCE };
}

const content = (m) => JSON.stringify([m.text, m.blocks]);

// The messages of a list that answer what the person did, and were not brought into view yet.
function answers(msgs, part) {
  if (!act || act.user !== ui.user || performance.now() > act.until) return [];
  const mine = (m) => part === "thread" || act.aloud || m.ephemeral_to || m.user === act.user;
  const inPlace = (m) => m.ts === act.ts && m.ephemeral_to && content(m) !== act.was;
  return msgs.filter((m) => (m.ts > act[part] && mine(m)) || inPlace(m));
}

function heed(m, part) {
  if (m.ts > act[part]) act[part] = m.ts;
  if (m.ts === act.ts) act.was = content(m);
}

/** For a list's element when it is made: begins at its end, and notices when the person leaves it. */
export function stick(el) {
  el._end = true;
  el.addEventListener("scroll", () => { el._end = atEnd(el); }, { passive: true });
  new ResizeObserver(() => { if (el._end) el.scrollTop = el.scrollHeight; }).observe(el);
  const left = () => { act = null; };
  el.addEventListener("wheel", left, { passive: true });
  el.addEventListener("touchmove", left, { passive: true });
  el.addEventListener("keydown", (e) => { if (KEYS.has(e.key) && e.target === el) left(); });
  el.addEventListener("pointerdown", (e) => { if (e.target === el && e.offsetX >= el.clientWidth) left(); });
}

const atEnd = (el) => el.scrollHeight - el.scrollTop - el.clientHeight < 60;

/** For a list's element after each drawing of its messages; part is "room" or "thread". */
export function follow(el, msgs, part) {
  if (el._end) el.scrollTop = el.scrollHeight;
  const fresh = answers(msgs, part);
  if (fresh.length > 0 && part === "room" && ui.thread && narrow.matches) {
    go({ thread: "" }); // on a narrow screen the thread covers the channel, and the answer with it
    return;
  }
  for (const m of fresh) {
    heed(m, part);
    bring(el, el.querySelector(`[data-ts="${CSS.escape(m.ts)}"]`));
  }
}

// What is taller than the list is shown from its beginning.
function bring(el, node) {
  if (!node) return;
  const view = el.getBoundingClientRect();
  const box = node.getBoundingClientRect();
  const margin = 8;
  if (box.height > view.height - 2 * margin || box.top < view.top) el.scrollTop += box.top - view.top - margin;
  else if (box.bottom > view.bottom) el.scrollTop += box.bottom - view.bottom + margin;
  el._end = atEnd(el);
}
