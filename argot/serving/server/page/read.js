// A document, put together from the release's passages; one of them may be marked.

import { get } from "./api.js";
import { $, make, readable, say } from "./dom.js";
import { documentPath } from "./passage.js";

const asked = new URLSearchParams(location.search);

function show({ document: name, title, url, pieces }) {
  document.title = `${title || name} · Argot`;
  $("title").textContent = title || name;
  $("from").append(/^https?:/.test(url) ? make("a", { href: url }, name) : name);
  let [before, turned] = ["", ""];
  for (const { id, heading, page_name: page, text } of pieces) {
    if (page !== turned) $("pieces").append(make("p", { class: "turn" }, page));
    turned = page;
    if (heading !== before && heading) $("pieces").append(make("h2", {}, heading.split(" > ").pop()));
    before = heading;
    const marked = id === asked.get("passage");
    $("pieces").append(make("div", { class: marked ? "text marked" : "text", data: { id } }, ...readable(text)));
  }
  $("pieces").querySelector(".marked")?.scrollIntoView({ block: "center" });
}

try {
  show(await get(documentPath(asked.get("document") ?? "")));
} catch (error) {
  say(error.message, "wrong");
}
document.body.classList.add("ready");
