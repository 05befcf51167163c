// Requests to the server. It asks for a key when a route needs one, and keeps it for this tab only.

import { $ } from "./dom.js";

// Paths begin with a slash and are below this page's own folder: a proxy may serve it at a sub-path.
const KEY = "argot-key";

export class Refused extends Error {}

async function send(path, body, signal) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = { method: body === undefined ? "GET" : "POST", headers, signal };
  if (body !== undefined) request.body = JSON.stringify(body);
  const reply = await fetch(`.${path}`, request);
  if (reply.status === 401) {
    await askKey();
    return send(path, body, signal);
  }
  if (!reply.ok) {
    const failure = await reply.json().catch(() => null);
    throw new Refused(failure?.error?.message ?? `the server replied with status ${reply.status}`);
  }
  return reply;
}

export const get = async (path) => (await send(path)).json();
export const post = async (path, body, signal) => (await send(path, body, signal)).json();

// Server-sent events of a POST: [name, data] as they come.
export async function* events(path, body, signal) {
  const reader = (await send(path, body, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (held + value).split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const part = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      yield [part("event"), JSON.parse(part("data"))];
    }
  }
}

let asking = null;

function askKey() {
  asking ??= new Promise((resolve) => {
    const dialog = $("key");
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, $("secret").value);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
