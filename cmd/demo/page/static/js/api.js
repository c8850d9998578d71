// The control API of the simulators: JSON in, JSON out, errors as {"error": "…"}.

/** An answer that was not 2xx; `message` is what the server said. */
export class ControlError extends Error {
  constructor(status, message, data) {
    super(message);
    this.status = status;
    this.data = data || {};
  }
}

async function send(method, path, body) {
  const init = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const res = await fetch(path, init);
  const text = await res.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    data = null;
  }
  if (!res.ok) throw new ControlError(res.status, (data && data.error) || `${method} ${path}: ${res.status}`, data);
  return data;
}

export const post = (path, body) => send("POST", path, body || {});
export const del = (path) => send("DELETE", path, {});

/**
 * Returns a function that fetches path and answers the parsed body, or undefined when nothing has
 * changed since the call before. It honours an ETag and otherwise compares the text, so an idle
 * workspace costs no parsing and no drawing. `took` and `size` let the caller slow down for a huge body.
 */
export function poller(path) {
  let etag = "";
  let last = "";
  const poll = async (query = "") => {
    const began = performance.now();
    const headers = { Accept: "application/json" };
    if (etag) headers["If-None-Match"] = etag;
    const res = await fetch(path + query, { headers, cache: "no-store" });
    if (res.status === 304) {
      poll.took = performance.now() - began;
      return undefined;
    }
    const text = await res.text();
    poll.took = performance.now() - began;
    if (!res.ok) throw new ControlError(res.status, `${path}: ${res.status}`);
    etag = res.headers.get("ETag") || "";
    if (text === last) return undefined;
    last = text;
    poll.size = text.length;
    return JSON.parse(text);
  };
  poll.took = 0;
  poll.size = 0;
  return poll;
}
