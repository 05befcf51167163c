// The view of one search: its passages, its answer, and the keyboard.

import { answer, forget } from "./answer.js";
import { post } from "./api.js";
import { $, capitalised, say } from "./dom.js";
import { card, markLong } from "./passage.js";

const SHOWN = 10;
let running = null;

export async function search(query, about) {
  running?.abort();
  running = new AbortController();
  forget();
  $("passages").replaceChildren();
  $("modes").hidden = !query;
  if (!query) return say("");
  $("search").classList.add("busy");
  say("");
  try {
    const mode = document.querySelector("input[name=mode]:checked")?.value ?? null;
    const body = { query, k: SHOWN, mode, explain: true };
    const found = await post("/search", body, running.signal);
    show(found, query, about.rankers);
    if (about.answers && found.passages.length) answer(query, running.signal);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, "wrong");
  } finally {
    $("search").classList.remove("busy");
  }
}

function show({ notice, nothing_fits, passages, search: id }, query, rankers) {
  if (notice) say(`${capitalised(notice)}.`, "notice");
  else if (nothing_fits) say("Perhaps nothing fits: these are the nearest passages.", "notice");
  else say(passages.length ? "" : "Nothing found. Try other words.");
  $("passages").replaceChildren(...passages.map((passage) => card(passage, { query, search: id }, rankers)));
  markLong($("passages").children);
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
    cards[at].click();
    event.preventDefault();
  } else if (at >= 0 && "+-".includes(event.key)) {
    cards[at].querySelector(event.key === "+" ? ".thumb.up" : ".thumb.down").click();
    event.preventDefault();
  }
}
