// RFC 8785 (JCS) for Sealbook's documents: objects, arrays, texts, booleans and safe integers; anything else is refused.
// What is signed is a digest over these bytes, so that the browser makes them by itself.

import { concat, sha256, utf8 } from "./bytes.js";

/** The canonical text of a value; keys in the order of their UTF-16 code units, which is JavaScript's own. */
export function canonical(value) {
  switch (typeof value) {
    case "boolean":
      return String(value);
    case "number":
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new TypeError("a number that no document holds");
      return String(value);
    case "string":
      if (!value.isWellFormed?.() && /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) {
        throw new TypeError("a text with half a character");
      }
      return JSON.stringify(value);
    case "object":
      if (value === null) throw new TypeError("no document holds null");
      if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
      return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
    default:
      throw new TypeError(`no document holds a ${typeof value}`);
  }
}

/** SHA-256 over a context such as `sealbook founding v1`, a zero byte, and the document's canonical bytes. */
export function digestOf(context, document) {
  return sha256(concat(utf8(`${context}\0`), utf8(canonical(document))));
}
