// What this browser keeps of a ledger: the key that its reader pinned, and the last checkpoint that it saw. Both stay on
// this device, and no server can change them.
//
// sealbook.pin.<origin>    {vkey, founding?, at?}   what the reader pinned
// sealbook.keys.<origin>   [{vkey, first, last}]    the ledger keys that were followed from there
// sealbook.seen.<origin>   {size, root, note, at, signed}
// sealbook.alarm.<origin>  {at, code, message, before, after}   kept until the reader takes it away
// sealbook.ledger.<tenant> the origin under which this tenant's ledger was seen first

import { path, tenant } from "./api.js";
import { canVerify, fromBase64, parseCheckpoint, parseVkey, toBase64 } from "./note.js";
import { VerifyError, follow, keepable, signerOf, trustFrom, verifyContinuation, verifyReceipt } from "./verify.js";

/** How often a server is asked again that seems to have less than was seen, and how long lies between, in milliseconds. */
const PATIENCE = { times: 3, pause: 1500, wait: 3000 };

/** The name of this page's ledger, as the server says it. */
export const origin = () => document.querySelector('meta[name="origin"]')?.content ?? "";

function read(kind, name = origin()) {
  try {
    return JSON.parse(localStorage.getItem(`sealbook.${kind}.${name}`));
  } catch {
    return null;
  }
}

function write(kind, value, name = origin()) {
  try {
    if (value === null) localStorage.removeItem(`sealbook.${kind}.${name}`);
    else localStorage.setItem(`sealbook.${kind}.${name}`, JSON.stringify(value));
    return true;
  } catch {
    // A browser that keeps nothing can't notice what changed between two visits.
    return false;
  }
}

/** What is pinned: {vkey, founding?, at?}; null where nothing is. */
export const pinned = () => {
  const pin = read("pin");
  return typeof pin?.vkey === "string" ? pin : null;
};

/** The checkpoint that was seen last. */
export const seen = () => read("seen");

/** What was found wrong, if anything was. */
export const alarm = () => read("alarm");

/** Reads a key that somebody wants to pin, out of a line, a file or the text of a QR code; throws where it is none. */
export async function keyIn(text) {
  const found = text.match(/[\x21-\x2a\x2c-\x7e]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}/g) ?? [text.trim()];
  const keys = await Promise.all([...new Set(found)].map(parseVkey));
  const fitting = keys.filter((key) => key.name === origin());
  if (fitting.length === 0) {
    throw new VerifyError("checkpoint.other_origin", `This key is of ${keys[0].name}; this ledger is ${origin()}.`);
  }
  // A file of several lists the first ledger key first.
  return fitting[0].text;
}

/** Pins a key. What was followed from another one is forgotten; what was seen is kept. */
export function pin(vkey) {
  const before = pinned();
  const founding = before?.vkey === vkey ? before.founding : undefined;
  if (!write("pin", { vkey, ...(founding && { founding }), at: new Date().toISOString() })) {
    throw new VerifyError("pin.storage", "This browser keeps nothing for this site, so nothing can be pinned in it.");
  }
  write("keys", null);
}

/** Takes an alarm away, and begins anew with what the server shows next. */
export function dismiss() {
  write("alarm", null);
  write("seen", null);
}

async function fetchOf(url, accept) {
  const response = await fetch(url, {
    headers: { accept, "x-sealbook-background": "1" },
    credentials: "same-origin",
    redirect: "error",
  });
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new VerifyError(problem.code ?? "network.unreachable", problem.detail ?? "The server does not answer.");
  }
  return response;
}

/** The receipt of an event, as text. */
export const receiptOf = async (seq) =>
  (await fetchOf(`${path("receipts", seq)}?wait_ms=${PATIENCE.wait}`, "text/plain")).text();

/** The keys to trust, from the pin on; null where nothing is pinned. Successions that were followed before are known. */
async function keysKept() {
  const pin = pinned();
  return pin ? trustFrom(pin.vkey, read("keys") ?? []) : null;
}

async function keysFollowed(keys) {
  const { receipts } = await (await fetchOf(path("transitions"), "application/json")).json();
  const followed = await follow(keys, receipts);
  write("keys", keepable(followed));
  return followed;
}

/** Tries with the keys that are known, and where none of them signed, with those that they handed over to. */
async function underTrust(attempt) {
  const keys = await keysKept();
  try {
    return await attempt(keys);
  } catch (error) {
    if (error.code !== "receipt.unknown_signer") throw error;
    return attempt(await keysFollowed(keys));
  }
}

/** Checks a receipt under what is pinned. */
export async function verifyUnderPin(text) {
  if (!(await canVerify())) throw new VerifyError("browser.unable", "This browser has no Ed25519 in WebCrypto: use `sealbook-verify`.");
  if (!pinned()) throw new VerifyError("pin.missing", "Nothing is pinned in this browser yet, so there is nothing to check against.");
  return underTrust((keys) => verifyReceipt(text, keys));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The newest checkpoint and its proof from what was seen. One server of several may lag for a moment. */
async function present(before) {
  if (!before) {
    const note = await (await fetchOf(path("checkpoint"), "text/plain")).text();
    return { checkpoint: parseCheckpoint(note), hashes: [] };
  }
  const url = `${path("consistency")}?old=${before.size}&wait_ms=${PATIENCE.wait}`;
  for (let turn = 1; ; turn += 1) {
    const answer = await (await fetchOf(url, "application/json")).json();
    const checkpoint = parseCheckpoint(answer.checkpoint);
    if (answer.path_b64 || turn === PATIENCE.times) {
      return { checkpoint, hashes: (answer.path_b64 ?? []).map((hash) => fromBase64(hash) ?? new Uint8Array()) };
    }
    await pause(PATIENCE.pause);
  }
}

function raise(error, before, checkpoint) {
  const found = {
    at: new Date().toISOString(),
    code: error.code,
    message: error.message,
    before,
    after: checkpoint && { size: checkpoint.size, note: checkpoint.note },
  };
  // The first alarm stands: what came later explains nothing about it.
  if (!alarm()) write("alarm", found);
  return { state: "alarm", ...(alarm() ?? found) };
}

/** What can't be told apart from an attack is one; a server that is away is not. */
const isSuspicious = (error) => /^(proof|signature|checkpoint|note|transition|vkey)\.|^receipt\.unknown_signer$/.test(error.code ?? "");

function sameLedger(checkpoint) {
  const known = read("ledger", tenant());
  if (known && known !== origin()) {
    throw new VerifyError("checkpoint.other_origin", `This tenant's ledger was ${known} and calls itself ${origin()} now.`);
  }
  if (checkpoint.origin !== origin()) {
    throw new VerifyError("checkpoint.other_origin", `The checkpoint is of ${checkpoint.origin}; this ledger is ${origin()}.`);
  }
  if (!known) write("ledger", origin(), tenant());
}

/**
 * Compares the ledger with what this browser saw of it, and keeps the newer where all is well. Answers {state, …}:
 * `verified` (signed by what is pinned, and continues), `unpinned` (continues, the signature is not checked), `unable`
 * (no WebCrypto), `alarm`, or `unreachable`.
 */
export async function checkLedger() {
  const standing = alarm();
  if (standing) return { state: "alarm", ...standing };
  if (!globalThis.crypto?.subtle) return { state: "unable" };
  const able = await canVerify();
  const before = seen();
  let checkpoint = null;
  try {
    const shown = await present(before);
    checkpoint = shown.checkpoint;
    sameLedger(checkpoint);
    const signed = able && pinned() !== null;
    if (signed) await underTrust((keys) => signerOf(checkpoint, keys));
    if (before) await verifyContinuation(before, checkpoint, shown.hashes);
    // Another tab may have seen more meanwhile.
    if ((seen()?.size ?? 0) <= checkpoint.size) {
      const { size, note } = checkpoint;
      write("seen", { size, root: toBase64(checkpoint.root), note, at: new Date().toISOString(), signed });
    }
    return { state: signed ? "verified" : able ? "unpinned" : "unable", size: checkpoint.size, before };
  } catch (error) {
    if (isSuspicious(error)) return raise(error, before, checkpoint);
    return { state: "unreachable", message: error.message };
  }
}
