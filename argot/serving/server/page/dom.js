// Elements, made from text nodes alone: the text of a document is never parsed as HTML.

export const $ = (id) => document.getElementById(id);

export function make(tag, options = {}, ...children) {
  const { on = {}, data = {}, ...attributes } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : value);
  }
  Object.assign(element.dataset, data);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const NAMESPACE = "http://www.w3.org/2000/svg";

export function shape(tag, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const WORD = /[\p{L}\p{N}]+(?:[-+./_:][\p{L}\p{N}]+)*/gu;

// The text with the matched words in <mark>.
export function highlighted(text, matched) {
  const words = new Set(matched);
  const pieces = [];
  let at = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!words.has(word.toLowerCase())) continue;
    pieces.push(text.slice(at, index), make("mark", {}, word));
    at = index + word.length;
  }
  return [...pieces, text.slice(at)];
}

const RULE = /^\|?[\s:|-]+\|?$/;
const BOLD = /\*\*(.+?)\*\*/g;

// A passage for reading: tables as tables, bold words bold, everything else as plain text.
export function readable(text, matched = []) {
  const blocks = [];
  for (const line of text.trim().split("\n")) {
    const row = line.trim().startsWith("|") && line.trim().length > 1;
    if (row !== blocks.at(-1)?.row) blocks.push({ row, lines: [] });
    blocks.at(-1).lines.push(line);
  }
  return blocks.map(({ row, lines }) => (row ? table(lines, matched) : make("p", {}, ...bold(lines.join("\n").trim(), matched))));
}

function table(lines, matched) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const rows = lines.filter((line) => !RULE.test(line)).map(cells);
  const ruled = rows.length < lines.length;
  const made = rows.map((row, at) => make("tr", {}, ...row.map((cell) => make(ruled && !at ? "th" : "td", {}, ...bold(cell, matched)))));
  return make("table", {}, make("tbody", {}, ...made));
}

function bold(text, matched) {
  const pieces = [];
  let at = 0;
  for (const { 0: whole, 1: inner, index } of text.matchAll(BOLD)) {
    pieces.push(...highlighted(text.slice(at, index), matched), make("strong", {}, ...highlighted(inner, matched)));
    at = index + whole.length;
  }
  return [...pieces, ...highlighted(text.slice(at), matched)];
}

// "policies/returns.pdf › Returns › Damaged goods › page 3"
export function place({ document: document_, heading, page_name: page }, url = "") {
  const path = document_.split("/");
  const name = path.pop();
  const folder = path.length ? make("span", { class: "folder" }, `${path.join("/")}/`) : null;
  const parts = [...(heading ? heading.split(" > ") : []), ...(page ? [page] : [])];
  const crumbs = parts.map((part) => make("span", { class: "crumb" }, part));
  const shown = make(url ? "a" : "span", { class: "document", href: url || null }, folder, name);
  return make("p", { class: "place" }, shown, ...crumbs);
}

let fading = 0;

// Show a message; one that something was kept disappears after a moment.
export function say(text, kind = "") {
  const status = $("status");
  clearTimeout(fading);
  if (kind === "kept") fading = setTimeout(() => say(""), 2500);
  status.textContent = text;
  status.className = `status ${kind}`;
}

export const typing = (target) => target.matches("input, textarea, select, [contenteditable]");
