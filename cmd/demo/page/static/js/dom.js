// A very small virtual DOM. Everything the page shows is built from h() and text nodes, so data can
// never become markup: nothing in this folder assigns markup.
//
// Rules:
//  * A child with the same key and tag keeps its element across renders, and with it focus, caret,
//    typed text, scroll position and an open <dialog>. Children without a key are matched by their
//    place; one that is left out (null, false) holds its place with an empty text.
//  * Form values (value, checked, selected) are set once, when the element is made. What a person
//    typed afterwards belongs to the person.
//  * on* props are handlers; `made` runs once after the element is in the page, `after` on each render,
//    `gone` just before the element itself is taken out.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "use", "circle", "rect", "g"]);
const ONCE = new Set(["value", "checked", "selected"]);

/** Builds a description of an element. Children may be nested arrays, strings, numbers, null or false. */
export function h(tag, props, ...children) {
  const p = props || {};
  return { tag, props: p, key: p.key, children: flatten(children, []) };
}

function flatten(list, out) {
  for (const c of list) {
    if (c === null || c === undefined || c === false || c === true) out.push({ text: "" });
    else if (Array.isArray(c)) flatten(c, out);
    else if (typeof c === "object") out.push(c);
    else out.push({ text: String(c) });
  }
  return out;
}

/** Makes the children of root be what the list describes, with as few changes as possible. */
export function render(root, list) {
  const late = [];
  const next = flatten([list], []);
  patchChildren(root, root._kids || [], next, late);
  root._kids = next;
  for (const f of late) f();
}

function create(v, late) {
  if (v.text !== undefined) return (v.el = document.createTextNode(v.text));
  const el = SVG_TAGS.has(v.tag) ? document.createElementNS(SVG, v.tag) : document.createElement(v.tag);
  v.el = el;
  el._on = {};
  patchChildren(el, [], v.children, late);
  for (const [name, val] of Object.entries(v.props)) setProp(el, name, undefined, val, true);
  if (v.props.made) late.push(() => v.props.made(el));
  if (v.props.after) late.push(() => v.props.after(el));
  return el;
}

function update(old, v, late) {
  const el = (v.el = old.el);
  if (v.text !== undefined) {
    if (v.text !== old.text) el.data = v.text;
    return;
  }
  if (v === old) return;
  for (const name of Object.keys(old.props)) {
    if (!(name in v.props)) setProp(el, name, old.props[name], undefined, false);
  }
  for (const [name, val] of Object.entries(v.props)) {
    if (val !== old.props[name]) setProp(el, name, old.props[name], val, false);
  }
  patchChildren(el, old.children, v.children, late);
  if (v.props.after) late.push(() => v.props.after(el));
}

function setProp(el, name, was, val, fresh) {
  if (name === "key" || name === "made" || name === "after" || name === "gone") return;
  if (name.startsWith("on")) {
    const type = name.slice(2);
    if (!(type in el._on)) el.addEventListener(type, (e) => el._on[type] && el._on[type](e));
    el._on[type] = val;
    return;
  }
  if (name === "spec") {
    el._spec = val;
    return;
  }
  if (ONCE.has(name)) {
    if (fresh) el[name] = val;
    return;
  }
  if (val === undefined || val === null || val === false) el.removeAttribute(name);
  else el.setAttribute(name, val === true ? "" : String(val));
}

function sameKind(a, b) {
  return (a.text !== undefined) === (b.text !== undefined) && a.tag === b.tag;
}

function patchChildren(parent, was, now, late) {
  const byKey = new Map();
  const plain = [];
  for (const o of was) {
    if (o.key !== undefined && !byKey.has(o.key)) byKey.set(o.key, o);
    else plain.push(o);
  }
  let at = 0;
  const gone = [];
  const pairs = now.map((n) => {
    if (n.key !== undefined) {
      const o = byKey.get(n.key);
      if (o && sameKind(o, n)) {
        byKey.delete(n.key);
        return o;
      }
      return null;
    }
    const o = at < plain.length ? plain[at++] : null;
    if (o && sameKind(o, n)) return o;
    if (o) gone.push(o);
    return null;
  });
  // Old children leave before new ones are placed, so that a kept element is never moved past one
  // that is about to go: moving an element would take its focus away.
  for (const o of [...byKey.values(), ...gone, ...plain.slice(at)]) {
    if (o.props && o.props.gone) o.props.gone(o.el);
    o.el.remove();
  }
  let cursor = parent.firstChild;
  now.forEach((n, i) => {
    const o = pairs[i];
    if (o) {
      update(o, n, late);
      if (n.el === cursor) cursor = cursor.nextSibling;
      else parent.insertBefore(n.el, cursor);
    } else {
      parent.insertBefore(create(n, late), cursor);
    }
  });
}
