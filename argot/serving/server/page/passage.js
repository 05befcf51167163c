// One passage of a result: its text, its document, the ranks by which it was found, and thumbs.

import { get, post } from "./api.js";
import { make, place, readable, say, shape } from "./dom.js";

// `asked` is the query that a thumb judges the passage for, and the id of its search, which is empty
// unless releases are compared. `rankers` are those of the release.
export function card(passage, asked, rankers) {
  const text = make("div", { class: "text" }, ...readable(passage.text, passage.matched ?? []));
  return make(
    "li",
    { class: "passage", tabindex: "-1", data: { id: passage.id }, on: { click: (event) => toggle(event, passage, asked) } },
    make("span", { class: "rank" }, String(passage.rank)),
    make("div", { class: "body" }, place(passage, passage.url), text, found(passage, asked, rankers)),
  );
}

// Only a passage that is longer than its box can be opened.
export function markLong(cards) {
  for (const element of cards) {
    const text = element.querySelector(".text");
    element.classList.toggle("long", text.scrollHeight > text.clientHeight + 4);
  }
}

export function open(element, always) {
  element.classList.toggle("open", always);
}

// A click opens a long passage; a click that selects words, a link or a button does not.
function toggle(event, passage, asked) {
  if (event.target.closest("button, a") || String(getSelection())) return;
  open(event.currentTarget);
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
  const more = make("button", { type: "button", class: "around", title: "Show what comes before and after", on: { click: (event) => around(event.target, passage) } }, "around");
  return make("p", { class: "why" }, ...why, more, thumbs);
}

// No probability is known where the release is searched in another way than it was evaluated.
function likely(probability) {
  if (probability === null) return null;
  const title = "How probable it is that this passage answers, by the questions of the evaluation";
  return make("span", { class: "score", title }, `${Math.round(100 * probability)} %`);
}

// The address of a document's text.
export const documentPath = (name) => `/documents/${name.split("/").map(encodeURIComponent).join("/")}`;

// Show the passages before and after this one.
async function around(button, passage) {
  button.disabled = true;
  try {
    const { pieces } = await get(`${documentPath(passage.document)}?${new URLSearchParams({ around: passage.id })}`);
    const text = button.closest(".passage").querySelector(".text");
    const at = pieces.findIndex(({ id }) => id === passage.id);
    const beside = (some) => some.map((piece) => make("div", { class: "text context" }, ...readable(piece.text)));
    text.before(...beside(pieces.slice(0, at)));
    text.after(...beside(pieces.slice(at + 1)));
    open(button.closest(".passage"), true);
  } catch (error) {
    button.disabled = false;
    say(error.message, "wrong");
  }
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
