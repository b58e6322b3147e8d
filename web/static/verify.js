// What a reader can check alone: receipts, the ledger key's successions, and that a ledger only ever grew.
//
// No page and no network in here: everything is handed in, and every function throws where something does not hold. Trust
// begins with the verifier key that the reader pinned; a later key is believed only once the one before it has signed the
// event that names it (LEDGER_FORMAT §5).

import { equal } from "./bytes.js";
import { MAX_PATH, leafHash, verifyConsistency, verifyInclusion } from "./merkle.js";
import { fromBase64, fromDecimal, isSignedBy, parseCheckpoint, parseVkey } from "./note.js";

/** The longest receipt, in characters: 65,535 event bytes in base64, a path, a note. */
const MAX_RECEIPT = 87_380 + MAX_PATH * 45 + 64 * 1024 + 64;

/** Why something can't be believed; `code` is what the offline verifier calls it, where it has a name for it. */
export class VerifyError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "VerifyError";
    this.code = code;
  }
}

/** RFC 8785, for what events hold: no floats. `JSON.stringify` writes strings and safe integers as it demands. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

/** Reads an event from its bytes, which have to be their own canonical form. */
export function parseEvent(bytes) {
  let text, event;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    event = JSON.parse(text);
  } catch {
    throw new VerifyError("receipt.envelope", "The event's bytes are not JSON.");
  }
  if (canonical(event) !== text) throw new VerifyError("receipt.not_canonical", "The event's bytes are not canonical.");
  if (event?.v !== 1 || typeof event.origin !== "string" || fromDecimal(String(event.seq)) === null) {
    throw new VerifyError("receipt.envelope", "The event does not say where it belongs.");
  }
  return event;
}

/** Reads a receipt (c2sp.org/tlog-proof); nothing is believed yet. */
export function parseReceipt(text) {
  const malformed = (message) => new VerifyError("receipt.malformed", message);
  if (text.length > MAX_RECEIPT) throw malformed("The receipt is too long.");
  const end = text.indexOf("\n\n");
  if (end < 0) throw malformed("The receipt has no checkpoint.");
  const [header, extra, index, ...lines] = text.slice(0, end).split("\n");
  if (header !== "c2sp.org/tlog-proof@v1") throw malformed("This is no receipt.");
  const bytes = extra?.startsWith("extra ") ? fromBase64(extra.slice(6)) : null;
  const place = index?.startsWith("index ") ? fromDecimal(index.slice(6)) : null;
  const path = lines.map(fromBase64);
  if (!bytes || place === null || path.length > MAX_PATH || path.some((hash) => hash?.length !== 32)) {
    throw malformed("A line of the receipt can't be read.");
  }
  return { bytes, index: place, path, checkpoint: parseCheckpoint(text.slice(end + 2)) };
}

/** That a receipt's event stands at its place in its checkpoint's tree. Who signed that is another question. */
async function proveInclusion(receipt) {
  const { bytes, index, path, checkpoint } = receipt;
  const event = parseEvent(bytes);
  if (event.origin !== checkpoint.origin) {
    throw new VerifyError("receipt.other_origin", `The event is of ${event.origin}, the checkpoint of ${checkpoint.origin}.`);
  }
  if (event.seq !== index) {
    throw new VerifyError("receipt.other_place", `The event is number ${event.seq}, the proof is about place ${index}.`);
  }
  const leaf = await leafHash(bytes);
  await verifyInclusion(leaf, index, checkpoint.size, path, checkpoint.root);
  return { event, leaf };
}

/**
 * What to trust from a pinned key on: keys with the sizes that each may sign, oldest first.
 * `known` are keys that this browser followed before.
 */
export async function trustFrom(pinned, known = []) {
  const first = await parseVkey(pinned);
  if (known.length === 0 || known[0].vkey !== pinned) return [{ vkey: first, first: 1, last: Infinity }];
  const keys = [];
  for (const { vkey, first, last } of known) {
    keys.push({ vkey: await parseVkey(vkey), first, last: last ?? Infinity });
  }
  return keys;
}

/** The same in a form that can be kept. */
export const keepable = (keys) =>
  keys.map(({ vkey, first, last }) => ({ vkey: vkey.text, first, last: Number.isFinite(last) ? last : null }));

/**
 * Follows the successions of the ledger key: `transitions` are receipts of `ledger.key_rotated` events, each under the
 * transition checkpoint that ends with the event. One from before the pinned key proves nothing about it and is passed
 * over; one that the key in force has signed hands over to the key in its event, if that signed too.
 */
export async function follow(keys, transitions) {
  const trusted = keys.map((key) => ({ ...key }));
  for (const text of transitions) {
    const receipt = parseReceipt(text);
    const { checkpoint } = receipt;
    const current = trusted.at(-1);
    if (checkpoint.size <= current.first && trusted.length > 1) continue;
    if (!(await isSignedBy(checkpoint, current.vkey))) continue;
    const { event } = await proveInclusion(receipt);
    if (receipt.index + 1 !== checkpoint.size || event.type !== "ledger.key_rotated") {
      throw new VerifyError("transition.event", "A transition checkpoint does not end with the rotation of the ledger key.");
    }
    const next = await parseVkey(event.data.vkey);
    // The transition to the pinned key itself: what came before it is not followed backwards.
    if (next.text === current.vkey.text) continue;
    if (!(await isSignedBy(checkpoint, next))) {
      throw new VerifyError("transition.unsigned", "The new ledger key did not sign its own takeover.");
    }
    current.last = checkpoint.size;
    trusted.push({ vkey: next, first: checkpoint.size, last: Infinity });
  }
  return trusted;
}

/** Which of the trusted keys signed a checkpoint; throws where none did that may sign its size. */
export async function signerOf(checkpoint, keys) {
  for (const key of keys) {
    const claims = await isSignedBy(checkpoint, key.vkey);
    if (claims && key.first <= checkpoint.size && checkpoint.size <= key.last) return key;
    if (claims) {
      throw new VerifyError("checkpoint.other_key", `A ledger key that no longer may sign has signed size ${checkpoint.size}.`);
    }
  }
  throw new VerifyError("receipt.unknown_signer", "None of the keys that are trusted in this browser has signed the checkpoint.");
}

/** Checks a receipt under trusted keys, and says what it proves. */
export async function verifyReceipt(text, keys) {
  const receipt = parseReceipt(text);
  const signer = await signerOf(receipt.checkpoint, keys);
  const { event, leaf } = await proveInclusion(receipt);
  return { ...receipt, event, leaf, signer };
}

/**
 * That a checkpoint continues the one that was seen before: {size, root (base64), note}.
 * Throws a ProofError where history was rewritten.
 */
export async function verifyContinuation(seen, checkpoint, path) {
  const before = parseCheckpoint(seen.note);
  if (before.size !== seen.size || !equal(before.root, fromBase64(seen.root) ?? new Uint8Array())) {
    throw new VerifyError("seen.damaged", "What this browser kept of the last visit contradicts itself.");
  }
  if (before.origin !== checkpoint.origin) {
    throw new VerifyError("checkpoint.other_origin", `This ledger was ${before.origin} and is ${checkpoint.origin} now.`);
  }
  await verifyConsistency(before.size, checkpoint.size, before.root, checkpoint.root, path);
}
