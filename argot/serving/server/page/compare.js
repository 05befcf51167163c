// The best passages of each system side by side; a line follows each passage to the next system.

import { post } from "./api.js";
import { $, capitalised, make, say, shape } from "./dom.js";

export async function compare(query) {
  const columns = $("columns");
  columns.replaceChildren();
  if (!query) return say("Ask something to see what each system finds.");
  say("Asking every system …");
  columns.classList.add("busy");
  try {
    const found = await post("/compare", { query });
    const systems = Object.keys(found.systems);
    columns.replaceChildren(...systems.map((name, at) => column(name, systems[at - 1], found)));
    say("");
    draw(systems);
  } catch (error) {
    say(error.message, "wrong");
  } finally {
    columns.classList.remove("busy");
  }
}

function column(system, before, found) {
  const cards = found.systems[system].map(({ id, rank }) => {
    const passage = found.passages[id];
    return make(
      "li",
      {
        class: "slot", tabindex: "0", data: { id, system }, title: passage.text,
        on: { mouseenter: () => follow(id), mouseleave: () => follow(null), focus: () => follow(id), blur: () => follow(null) },
      },
      make("span", { class: "rank" }, String(rank)),
      make("span", { class: "body" },
        make("b", {}, [passage.document.split("/").pop(), passage.page_name].filter(Boolean).join(", ")),
        make("span", { class: "snippet" }, passage.heading ? `${passage.heading.split(" > ").pop()} · ` : "", passage.text.replace(/\|[\s|:-]*/g, " ").trim().slice(0, 140))),
      before ? move(passage.ranks[before], rank) : null,
    );
  });
  const ships = system === found.ships ? make("span", { class: "ships" }, "ships") : null;
  return make("section", { class: "column", data: { system } }, make("h3", {}, capitalised(found.names[system]), " ", ships), make("ol", {}, ...cards));
}

function move(was, is) {
  if (!was) return make("span", { class: "move new", title: "not among the hundred best before" }, "new");
  const by = was - is;
  if (!by) return make("span", { class: "move", title: "unmoved" }, "=");
  return make("span", { class: `move ${by > 0 ? "up" : "down"}`, title: `${was} → ${is}` }, `${by > 0 ? "↑" : "↓"}${Math.abs(by)}`);
}

// One curve for each passage that is in two neighbouring columns.
function draw(systems) {
  const columns = $("columns");
  const origin = columns.getBoundingClientRect();
  const curves = [];
  for (let at = 1; at < systems.length; at += 1) {
    for (const right of columns.querySelectorAll(`.slot[data-system="${systems[at]}"]`)) {
      const id = right.dataset.id;
      const left = columns.querySelector(`.slot[data-system="${systems[at - 1]}"][data-id="${CSS.escape(id)}"]`);
      if (!left) continue;
      const [a, b] = [left.getBoundingClientRect(), right.getBoundingClientRect()];
      const [x1, y1, x2, y2] = [a.right, a.top + a.height / 2, b.left, b.top + b.height / 2];
      const middle = (x1 + x2) / 2 - origin.left;
      const path = `M${x1 - origin.left} ${y1 - origin.top}C${middle} ${y1 - origin.top} ${middle} ${y2 - origin.top} ${x2 - origin.left} ${y2 - origin.top}`;
      const kind = Math.abs(y1 - y2) < 1 ? "" : y2 < y1 ? "up" : "down";
      const curve = shape("path", { d: path, class: `curve ${kind}` });
      curve.dataset.id = id;
      curves.push(curve);
    }
  }
  columns.querySelector("svg")?.remove();
  columns.append(shape("svg", { width: origin.width, height: origin.height, class: "curves", "aria-hidden": "true" }, ...curves));
}

function follow(id) {
  $("columns").classList.toggle("following", Boolean(id));
  for (const element of $("columns").querySelectorAll("[data-id]")) element.classList.toggle("followed", element.dataset.id === id);
}

addEventListener("resize", () => {
  const systems = [...document.querySelectorAll("#columns .column")].map((element) => element.dataset.system);
  if (systems.length) draw(systems);
});
