// The page: which view, which question, which key.

import { get } from "./api.js";
import { compare } from "./compare.js";
import { $, say, typing } from "./dom.js";
import { key as labelKey, label } from "./label.js";
import { key as searchKey, search } from "./search.js";

const VIEWS = ["search", "compare", "label"];
const VERDICTS = {
  tuned: "tuned model, proven on real questions",
  base: "base model: tuning was not proven to help",
  unproven: "not yet proven: too few real questions",
};
let about = { answers: false, workbench: false, mode: "hybrid", rankers: [] };

const view = () => {
  const named = location.hash.slice(1);
  return about.workbench && VIEWS.includes(named) ? named : "search";
};

function show() {
  const query = new URLSearchParams(location.search).get("q") ?? "";
  if ($("query").value.trim() !== query) $("query").value = query;
  document.title = query ? `${query} · Argot` : "Argot";
  document.body.dataset.view = view();
  document.body.classList.toggle("start", !query && view() === "search");
  for (const name of VIEWS) $(name).hidden = name !== view();
  for (const link of document.querySelectorAll("#views a")) {
    const own = link.dataset.view;
    link.href = `./${query && own !== "label" ? `?${new URLSearchParams({ q: query })}` : ""}${own === "search" ? "" : `#${own}`}`;
    link.toggleAttribute("aria-current", own === view());
  }
  say("");
  if (view() === "search") search(query, about);
  else if (view() === "compare") compare(query);
  else label(query);
}

function go(query) {
  const address = new URL(`./${query ? `?${new URLSearchParams({ q: query })}` : ""}${location.hash}`, location);
  if (address.href !== location.href) history.pushState(null, "", address);
  show();
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  $("query").blur();
  go($("query").value.trim());
});
$("modes").addEventListener("change", show);
addEventListener("popstate", show);
addEventListener("hashchange", show);

for (const link of document.querySelectorAll("#views a, .mark")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.href !== location.href) history.pushState(null, "", link.href);
    show();
  });
}

addEventListener("keydown", (event) => {
  if ($("key").open) return;
  if (event.key === "/" && !typing(event.target)) {
    event.preventDefault();
    $("query").focus();
    $("query").select();
  } else if (event.key === "Escape") document.activeElement.blur();
  else if (view() === "search" && (!typing(event.target) || event.key === "ArrowDown")) searchKey(event);
  else if (view() === "label" && !typing(event.target) && event.target.tagName !== "BUTTON") labelKey(event);
});

async function start() {
  try {
    about = await get("/about");
  } catch (error) {
    say(error.message, "wrong");
  }
  const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
  $("about").textContent = `${count(about.passages, "passage")} from ${count(about.documents, "document")}`;
  $("release").textContent = `Release ${about.release} · ${VERDICTS[about.verdict] ?? ""}`;
  $("views").hidden = !about.workbench;
  for (const { value, parentElement } of document.querySelectorAll("input[name=mode]")) {
    parentElement.hidden = value !== "hybrid" && !about.rankers.includes(value);
  }
  document.querySelector(`input[name=mode][value=${about.mode}]`).checked = true;
  show();
  document.body.classList.add("ready");
}

start();
