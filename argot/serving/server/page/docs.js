// The OpenAPI description, for people.

import { get } from "./api.js";
import { $, make, say } from "./dom.js";

const named = (schema, all) => (schema?.$ref ? all[schema.$ref.split("/").pop()] : schema);

function kind(schema) {
  if (schema.anyOf) return schema.anyOf.map(kind).filter((one) => one !== "null").join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.$ref) return schema.$ref.split("/").pop();
  return schema.type === "array" ? `list of ${kind(schema.items ?? {})}` : schema.type ?? "any";
}

function fields(schema) {
  const needed = new Set(schema?.required ?? []);
  const rows = Object.entries(schema?.properties ?? {}).map(([name, field]) =>
    make("tr", {},
      make("th", { scope: "row" }, make("code", {}, name)),
      make("td", {}, kind(field)),
      make("td", {}, needed.has(name) ? "needed" : field.default === undefined ? "" : JSON.stringify(field.default)),
      make("td", {}, field.description ?? "")));
  return rows.length ? make("table", {}, make("tbody", {}, ...rows)) : null;
}

function route(path, method, operation, all) {
  const body = named(operation.requestBody?.content?.["application/json"]?.schema, all);
  const reply = named(operation.responses?.["200"]?.content?.["application/json"]?.schema, all);
  return make("section", { class: "route" },
    make("h2", {}, make("span", { class: "method" }, method.toUpperCase()), " ", make("code", {}, path)),
    make("p", {}, operation.description ?? operation.summary),
    body ? make("h3", {}, "Request") : null, fields(body),
    fields(reply) ? make("h3", {}, "Reply") : null, fields(reply));
}

try {
  const api = await get("/openapi.json");
  const all = api.components?.schemas ?? {};
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) $("routes").append(route(path, method, about, all));
  }
} catch (error) {
  say(error.message, "wrong");
}
