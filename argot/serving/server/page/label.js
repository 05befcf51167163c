// Judging by keyboard: a digit marks a passage, Enter keeps, 0 means that none answers, s skips.

import { get, post } from "./api.js";
import { $, make, place, readable, say } from "./dom.js";
import { markLong } from "./passage.js";

let waiting = [];
let judged = 0;
let query = "";
let chosen = new Map(); // chunk → quote; empty: the whole passage

export async function label(asked) {
  try {
    ({ waiting, judged } = await get("/label/questions"));
    await next(asked || waiting[0] || "");
  } catch (error) {
    say(error.message, "wrong");
  }
}

async function next(asked) {
  query = asked;
  chosen = new Map();
  if (!query) return done();
  say("");
  $("label").classList.add("busy");
  const { passages } = await post("/label/pool", { query });
  $("label").classList.remove("busy");
  $("label").replaceChildren(
    make("header", { class: "question" }, make("p", { class: "progress" }, progress()), make("h2", {}, query),
      make("p", { class: "lede" }, "Which of these passages answer it? They come from all systems, in random order.")),
    make("ol", { class: "pool" }, ...passages.map(candidate)),
    make("div", { class: "verdicts" },
      button("Keep", "Enter", keep, "main"), button("None answers", "0", none), button("Skip", "s", skip)),
  );
  markLong(document.querySelectorAll(".candidate"));
  scrollTo(0, 0);
}

const progress = () => `${judged} judged${waiting.length ? ` · ${waiting.length} waiting` : ""}`;

function done() {
  $("label").replaceChildren(
    make("header", { class: "question" }, make("p", { class: "progress" }, progress()),
      make("h2", {}, "Nothing is waiting"),
      make("p", { class: "lede" }, "Type a question above: one that somebody really asked, in the words they used. Twenty are a start; a proof usually takes a hundred.")),
  );
}

function candidate(passage, at) {
  const number = at + 1;
  return make(
    "li",
    { class: "passage candidate", data: { chunk: passage.chunk }, on: { click: () => picked(passage.chunk), mouseup: () => selected(passage.chunk) } },
    make("kbd", { class: "number" }, String(number)),
    make("div", { class: "body" }, place(passage), make("div", { class: "text" }, ...readable(passage.text)), make("p", { class: "quote" })),
  );
}

function picked(chunk) {
  if (String(getSelection())) return;
  if (chosen.has(chunk)) chosen.delete(chunk);
  else chosen.set(chunk, "");
  show();
}

// The words that a person selects in a passage become its quote.
function selected(chunk) {
  const selection = getSelection();
  const text = document.querySelector(`[data-chunk="${CSS.escape(chunk)}"] .text`);
  const quote = String(selection).trim();
  if (!quote || !text.contains(selection.anchorNode) || !text.contains(selection.focusNode)) return;
  chosen.set(chunk, quote);
  show();
}

function show() {
  for (const element of document.querySelectorAll(".candidate")) {
    const { chunk } = element.dataset;
    element.classList.toggle("chosen", chosen.has(chunk));
    element.querySelector(".quote").textContent = chosen.get(chunk) ? `“${chosen.get(chunk)}”` : "";
  }
}

function button(text, hint, action, kind = "") {
  return make("button", { type: "button", class: kind, on: { click: action } }, text, make("kbd", {}, hint));
}

async function judge(relevant) {
  try {
    ({ judged } = await post("/label", { query, relevant }));
    waiting = waiting.filter((other) => other !== query);
    $("query").value = "";
    await next(waiting[0] ?? "");
    say("Kept.", "kept");
  } catch (error) {
    say(error.message, "wrong");
  }
}

function keep() {
  if (!chosen.size) return say("Mark at least one passage, or press 0 where none answers.");
  return judge([...chosen].map(([chunk, quote]) => ({ chunk, quote })));
}

const none = () => judge([]);

async function skip() {
  waiting = waiting.filter((other) => other !== query);
  $("query").value = "";
  await next(waiting[0] ?? "");
}

export function key(event) {
  const cards = document.querySelectorAll(".candidate");
  if (!cards.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key >= "1" && event.key <= "9") {
    const card = cards[Number(event.key) - 1];
    getSelection().removeAllRanges();
    if (card) picked(card.dataset.chunk);
  } else if (event.key === "0") none();
  else if (event.key === "s") skip();
  else if (event.key === "Enter") keep();
  else return;
  event.preventDefault();
}
