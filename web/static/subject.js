// The subject of a signature: an action's document, and the ways in which a browser makes sure of it.

import { concat, equal, fromBase64url, fromHex, sha256, toBase64url, utf8 } from "./bytes.js";
import { canonical } from "./jcs.js";
import { distrust } from "./passkeys.js";

/** A document from its canonical bytes; refuses bytes that are not their own canonical form. */
export function documentOf(base64url) {
  const bytes = fromBase64url(base64url);
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const document = JSON.parse(text);
  if (canonical(document) !== text) {
    throw distrust("The document is not in its one form: what it says could differ from what is signed. Nothing is signed: tell the operator.");
  }
  return { bytes, text, document };
}

/** The digest to sign for a purpose; refuses unless the server's is the same. */
export async function fits({ bytes }, purpose, claimed) {
  const digest = await sha256(concat(utf8(`sealbook ${purpose} v1\0`), bytes));
  if (!equal(digest, fromHex(claimed))) {
    throw distrust("The server's digest is not that of the document on this page. Nothing is signed: tell the operator.");
  }
  return digest;
}

/** The digest that stands for a private field wherever it is not disclosed. */
export async function digestOfField({ name, salt, value }) {
  return toBase64url(await sha256(utf8(canonical([salt, name, value]))));
}

/** A disclosed text: refuses unless it opens the digest that the document holds for it. */
export async function opens(document, { name, salt, value }) {
  const digest = await digestOfField({ name, salt, value });
  const held = name === "reason" ? document.reason_digest : document.params[`${name}_digest`];
  if (digest !== held) {
    throw distrust(`The ${name.replaceAll("_", " ")} on this page is not the one that the document commits to. Nothing is signed: tell the operator.`);
  }
}

/** The root of the RFC 6962 tree over some leaves. */
export async function rootOf(leaves) {
  const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];
  let level = await Promise.all(leaves.map((leaf) => sha256(concat(LEAF, leaf))));
  // Pairs from the left, an odd one carried up: that is the tree of RFC 6962 §2.1.
  while (level.length > 1) {
    const pairs = [];
    for (let at = 0; at < level.length; at += 2) {
      pairs.push(at + 1 < level.length ? sha256(concat(NODE, level[at], level[at + 1])) : level[at]);
    }
    level = await Promise.all(pairs);
  }
  return level[0] ?? sha256(new Uint8Array());
}
