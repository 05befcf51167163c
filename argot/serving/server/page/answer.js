// The answer while it is written, then its claims; each citation leads to the words it quotes.

import { events } from "./api.js";
import { $, make, say } from "./dom.js";
import { card } from "./passage.js";

export function forget() {
  $("answer").hidden = true;
  $("answer").replaceChildren();
}

export async function answer(question, signal) {
  const panel = $("answer");
  const words = make("p", { class: "writing" });
  panel.replaceChildren(make("h2", {}, "Answer"), words);
  panel.hidden = false;
  panel.setAttribute("aria-busy", "true");
  try {
    for await (const [name, data] of events("/answer", { question }, signal)) {
      if (name === "said") words.append(data.text);
      else if (name === "searched" && data.query !== question) words.before(make("p", { class: "step" }, `looked for “${data.query}”`));
      else if (name === "answer") finish(panel, data);
      else if (name === "failed") problem(panel, data.message);
    }
  } catch (error) {
    if (error.name !== "AbortError") problem(panel, error.message);
  } finally {
    panel.setAttribute("aria-busy", "false");
  }
}

function problem(panel, message) {
  panel.replaceChildren(make("h2", {}, "Answer"), make("p", { class: "unproven" }, message));
}

function finish(panel, data) {
  if (data.problem) return problem(panel, `No answer, only passages: ${data.problem}.`);
  if (!data.answered) return panel.replaceChildren(make("h2", {}, "Answer"), make("p", {}, "The documents don’t answer this."));
  panel.replaceChildren(make("h2", {}, "Answer"), ...data.claims.map((claim) => paragraph(claim, data)));
}

function paragraph(claim, { passages, question }) {
  const cited = claim.citations.map((citation) => {
    const right = !citation.problem;
    return make("button", {
      type: "button", class: right ? "cite" : "cite wrong", title: citation.problem || `“${citation.quote}”`,
      "aria-label": `Passage ${citation.number}`, disabled: !passages[citation.number - 1],
      on: { click: () => show(passages[citation.number - 1], citation.quote, question) },
    }, String(citation.number));
  });
  const why = claim.supported ? null : make("span", { class: "unproven" }, "not supported by the passages");
  return make("p", { class: claim.supported ? "claim" : "claim doubtful" }, make("span", { class: "words" }, claim.text), " ", ...cited, why);
}

// Scroll to the cited passage, and mark the quoted words in it.
function show(passage, quote, question) {
  const find = () => document.querySelector(`#passages [data-id="${CSS.escape(passage.id)}"]`);
  if (!find()) $("passages").append(card(passage, { query: question }, []));
  const element = find();
  element.classList.add("open");
  mark(element.querySelector(".text:not(.context)"), passage.text.trim(), quote);
  element.focus({ preventScroll: true });
  element.scrollIntoView({ behavior: "smooth", block: "center" });
  say("");
}

function mark(element, text, quote) {
  const at = text.toLowerCase().indexOf(quote.toLowerCase());
  if (at < 0 || !quote) return;
  const end = at + quote.length;
  element.replaceChildren(text.slice(0, at), make("mark", { class: "quoted" }, text.slice(at, end)), text.slice(end));
}
