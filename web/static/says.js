// What a document says, member by member and none left out: no sentence, no choice of what matters.

import { element } from "./elements.js";

const FIRST = ["type", "params", "proposed_by", "proposed_at", "expires_at", "quorum"];

const isScalar = (value) => typeof value !== "object";
/** An object of a few texts and numbers reads in one line. */
const isShort = (value) => !isScalar(value) && !Array.isArray(value) && Object.values(value).every(isScalar) && Object.keys(value).length < 3;
const inLine = (value) => (isScalar(value) ? String(value) : Object.entries(value).map(([key, held]) => `${key} ${held}`).join(", "));

/** `{path, text}` for every member of a value, however deep. */
export function membersOf(value, path = []) {
  if (isScalar(value)) return [{ path, text: String(value) }];
  if (Array.isArray(value) && value.every((one) => isScalar(one) || isShort(one))) {
    return [{ path, text: value.length === 0 ? "none" : value.map(inLine).join(value.every(isScalar) ? ", " : "; ") }];
  }
  const inner = Array.isArray(value) ? value.map((one, at) => [String(at + 1), one]) : Object.entries(value);
  if (inner.length === 0) return [{ path, text: "nothing" }];
  return inner.flatMap(([key, held]) => membersOf(held, [...path, key]));
}

/** What the whole document says: its type and parameters first. */
export function says(document) {
  const order = [...FIRST.filter((key) => key in document), ...Object.keys(document).filter((key) => !FIRST.includes(key))];
  return order.flatMap((key) => membersOf(document[key], key === "params" ? [] : [key]).map((one) => ({ ...one, asked: key === "type" || key === "params" })));
}

const label = (path) => path.map((key) => (key.includes(".") ? key : key.replaceAll("_", " "))).join(" › ");

/** Draws it into two lists, of what is asked for and of everything else; `beside` gives a note to a text. */
export function draw(document, asked, rest, beside) {
  const drawn = says(document).map(({ path, text, asked: first }) => {
    const note = beside(path.at(-1), text);
    const value = element("dd", {}, element("code", {}, text), note && element("small", {}, note));
    return { first, pair: element("div", {}, element("dt", {}, label(path)), value) };
  });
  asked.replaceChildren(...drawn.filter(({ first }) => first).map(({ pair }) => pair));
  rest.replaceChildren(...drawn.filter(({ first }) => !first).map(({ pair }) => pair));
}

/** Notes for the drawing: who an id is said to be, and what a digest opens to. */
export function notes(names, disclosures) {
  return (key, text) => {
    const opened = key?.endsWith("_digest") && disclosures.find(({ name }) => `${name}_digest` === key);
    if (opened && opened.name !== "names") return `opens to “${opened.value}”`;
    return Object.hasOwn(names, text) && `${names[text]}, by the server's word`;
  };
}
