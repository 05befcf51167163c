// One passage of a result: its text, the ranks by which it was found, and thumbs to judge it.

import { post } from "./api.js";
import { make, place, readable, say, shape } from "./dom.js";

// `asked` is the query that a thumb judges the passage for, and the id of its search, which is empty
// unless releases are compared. `rankers` are those of the release.
export function card(passage, asked, rankers) {
  const text = make("div", { class: "text" }, ...readable(passage.text, passage.matched ?? []));
  return make(
    "li",
    { class: "passage", tabindex: "-1", data: { id: passage.id }, on: { click: (event) => toggle(event, passage, asked) } },
    make("span", { class: "rank" }, String(passage.rank)),
    make("div", { class: "body" }, place(passage.document, passage.heading), text, found(passage, asked, rankers)),
  );
}

// Only a passage that is longer than its box can be opened.
export function markLong(cards) {
  for (const element of cards) {
    const text = element.querySelector(".text");
    element.classList.toggle("long", text.scrollHeight > text.clientHeight + 4);
  }
}

// A click opens a long passage; a click that selects words, or presses a button, does not.
function toggle(event, passage, asked) {
  if (event.target.closest("button") || String(getSelection())) return;
  event.currentTarget.classList.toggle("open");
  if (asked.search) post("/feedback", { ...asked, passage: passage.id, verdict: "opened" }).catch(() => {});
}

function found(passage, asked, rankers) {
  // Of two releases, ranks and scores can't be compared, and would show whose passage this is.
  const why = asked.search ? [] : [
    ...rankers.map((ranker) => rank(passage.ranks[ranker], RANKERS[ranker])),
    make("span", { class: "score", title: "Score of the whole search" }, passage.score.toFixed(3)),
    likely(passage.probability),
  ];
  const thumbs = make("span", { class: "thumbs" }, thumb("up", "This answers it", passage, asked), thumb("down", "This doesn't answer it", passage, asked));
  return make("p", { class: "why" }, ...why, thumbs);
}

// No probability is known where the release is searched in another way than it was evaluated.
function likely(probability) {
  if (probability === null) return null;
  const title = "How probable it is that this passage answers, by the questions of the evaluation";
  return make("span", { class: "score", title }, `${Math.round(100 * probability)} %`);
}

// What each ranker looks at.
const RANKERS = {
  bm25: { name: "words", title: "Rank by BM25 alone" },
  dense: { name: "meaning", title: "Rank by one vector a passage alone" },
  tokens: { name: "tokens", title: "Rank by one vector a token alone" },
};

function rank(value, { name, title }) {
  return make("span", { class: value ? "system" : "system none", title }, `${name} `, make("b", {}, value ? String(value) : "–"));
}

const HAND = "M7 11v8H4v-8zm0 0 4-8c1.500 0 2.500 1 2.500 2.500V9H19l-1.500 10H7";

function thumb(verdict, title, passage, asked) {
  const button = make("button", {
    type: "button", class: `thumb ${verdict}`, title, "aria-label": title, "aria-pressed": "false",
    on: { click: () => judge(button, { ...asked, passage: passage.id, verdict }) },
  });
  button.append(shape("svg", { viewBox: "0 0 24 24" }, shape("path", { d: HAND })));
  return button;
}

async function judge(button, feedback) {
  try {
    await post("/feedback", feedback);
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    say(feedback.verdict === "up" ? "Kept: this answers it." : "Kept: this doesn't answer it.", "kept");
  } catch (error) {
    say(error.message, "wrong");
  }
}
