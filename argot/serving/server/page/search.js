// Passages for a question, with why they were found; thumbs; the keyboard.

import { post } from "./api.js";
import { $, make, place, readable, say, shape } from "./dom.js";
import { answer, forget } from "./answer.js";

const SHOWN = 10;
let running = null;
let query = "";

export async function search(asked, about) {
  query = asked;
  running?.abort();
  running = new AbortController();
  forget();
  $("passages").replaceChildren();
  $("modes").hidden = !asked;
  if (!asked) return say("");
  $("search").classList.add("busy");
  say("");
  try {
    const mode = document.querySelector("input[name=mode]:checked")?.value ?? null;
    const body = { query: asked, k: SHOWN, mode, explain: true };
    const found = await post("/search", body, running.signal);
    show(found);
    if (about.answers && found.passages.length) answer(asked, running.signal);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, "wrong");
  } finally {
    $("search").classList.remove("busy");
  }
}

function show(found) {
  const few = found.passages.length ? "" : "Nothing found. Try other words.";
  const told = [found.notice].filter(Boolean).map((one) => `${one[0].toUpperCase()}${one.slice(1)}.`);
  say(told.join(" ") || few, told.length ? "notice" : "");
  $("passages").replaceChildren(...found.passages.map(card));
  for (const text of document.querySelectorAll("#passages .text")) {
    text.parentElement.parentElement.classList.toggle("long", text.scrollHeight > text.clientHeight + 4);
  }
}

export function card(passage) {
  const text = make("div", { class: "text" }, ...readable(passage.text, passage.matched ?? []));
  return make(
    "li",
    { class: "passage", tabindex: "-1", data: { id: passage.id }, on: { click: (event) => reading(event) } },
    make("span", { class: "rank" }, String(passage.rank)),
    make("div", { class: "body" }, place(passage.document, passage.heading), text, why(passage)),
  );
}

const RANKERS = { dense: ["meaning", "Rank by the model alone"], bm25: ["words", "Rank by BM25 alone"] };

function why(passage) {
  const system = (name, rank, title) =>
    make("span", { class: rank ? "system" : "system none", title }, `${name} `, make("b", {}, rank ? `${rank}` : "–"));
  return make(
    "p",
    { class: "why" },
    ...Object.entries(RANKERS).map(([ranker, [name, title]]) => system(name, passage.ranks[ranker], title)),
    make("span", { class: "score", title: "Score of the whole search" }, passage.score.toFixed(3)),
    make("span", { class: "thumbs" }, thumb("up", "This answers it", passage), thumb("down", "This doesn't", passage)),
  );
}

const HAND = "M7 11v8H4v-8zm0 0 4-8c1.500 0 2.500 1 2.500 2.500V9H19l-1.500 10H7";

function thumb(verdict, title, passage) {
  const button = make("button", {
    type: "button", class: `thumb ${verdict}`, title, "aria-label": title, "aria-pressed": "false",
    on: { click: () => judge(button, verdict, passage.id) },
  });
  button.append(shape("svg", { viewBox: "0 0 24 24" }, shape("path", { d: HAND })));
  return button;
}

async function judge(button, verdict, passage) {
  try {
    await post("/feedback", { query, passage, verdict });
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    say(verdict === "up" ? "Kept: this answers it." : "Kept: this doesn't answer it.", "kept");
  } catch (error) {
    say(error.message, "wrong");
  }
}

// Arrow keys move, Enter opens, + and - judge.
export function key(event) {
  const cards = [...document.querySelectorAll("#search .passage")];
  const at = cards.indexOf(document.activeElement?.closest(".passage"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const to = at + (event.key === "ArrowDown" ? 1 : -1);
    if (to < 0) $("query").focus();
    else cards[Math.min(to, cards.length - 1)]?.focus();
    event.preventDefault();
  } else if (at >= 0 && event.key === "Enter" && document.activeElement === cards[at]) {
    open(cards[at]);
    event.preventDefault();
  } else if (at >= 0 && "+-".includes(event.key)) {
    cards[at].querySelector(event.key === "+" ? ".thumb.up" : ".thumb.down").click();
    event.preventDefault();
  }
}

function open(element) {
  element.classList.toggle("open");
}

// A click opens a long passage; a click that selects words, or presses a button, does not.
function reading(event) {
  if (!event.target.closest("button") && !String(getSelection())) open(event.currentTarget);
}
