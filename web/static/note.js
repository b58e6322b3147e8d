// Signed notes, checkpoints and verifier keys as C2SP writes them (c2sp.org/signed-note, tlog-checkpoint).

import { concat, equal, sha256, toHex, utf8 } from "./bytes.js";

/** The longest note, in bytes. */
const MAX_NOTE = 64 * 1024;

/** Most signature lines of a note. */
const MAX_SIGNATURES = 16;

/** C2SP's signature type of plain Ed25519. */
const ED25519 = 0x01;

/** Why a note or key is not one, or is not to be believed; `code` is what the offline verifier calls it. */
export class NoteError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "NoteError";
    this.code = code;
  }
}

/** The bytes of standard base64 in its one spelling; null where it is anything else. */
export function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  try {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    return toBase64(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}

/** Bytes as standard base64. */
export const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** A decimal without sign, leading zeroes or more than 2^53; null where it is anything else. */
export function fromDecimal(text) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

/** Whether this browser has what checking takes. */
export async function canVerify() {
  try {
    const raw = new Uint8Array(32);
    raw[0] = 0x58;
    raw.fill(0x66, 1);
    // The base point of Ed25519: a key that every implementation can read.
    await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
    return true;
  } catch {
    return false;
  }
}

/** Reads a verifier key `name+hash+base64(0x01 ‖ key)`; the hash has to be that of name and key. */
export async function parseVkey(text) {
  const shape = /^([\x21-\x2a\x2c-\x7e]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})$/.exec(text);
  if (!shape) {
    throw new NoteError("vkey.shape", "This is no verifier key: it reads name+hash+key, on one line, without spaces.");
  }
  const [, name, hash, encoded] = shape;
  const typed = fromBase64(encoded);
  if (!typed) throw new NoteError("vkey.shape", "The key part is not base64 in its one spelling.");
  if (typed.length !== 33 || typed[0] !== ED25519) throw new NoteError("vkey.type", "The key is not an Ed25519 key.");
  const digest = await sha256(concat(utf8(`${name}\n`), typed));
  const keyId = digest.subarray(0, 4);
  if (toHex(keyId) !== hash) {
    throw new NoteError("vkey.hash", "Hash and key do not belong together: it was mistyped or put together from two.");
  }
  return { text, name, keyId, raw: typed.subarray(1) };
}

function parseSignature(line) {
  const shape = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line);
  const decoded = shape && fromBase64(shape[2]);
  if (!decoded || decoded.length < 5) {
    throw new NoteError("note.signature_line", "A signature line of the note can't be read.");
  }
  return { name: shape[1], keyId: decoded.subarray(0, 4), signature: decoded.subarray(4) };
}

/** Reads a signed note; nothing is believed yet. */
export function parseNote(note) {
  const malformed = (message) => new NoteError("note.shape", message);
  if (utf8(note).length > MAX_NOTE) throw malformed("The note is too long.");
  if (/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(note)) throw malformed("The note holds control characters.");
  const separator = note.lastIndexOf("\n\n");
  if (separator < 0 || !note.endsWith("\n")) throw malformed("The note has no signatures.");
  const lines = note.slice(separator + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw malformed("The note has too many signatures.");
  return { text: note.slice(0, separator + 1), signatures: lines.map(parseSignature) };
}

/** Reads a checkpoint: origin, size and root of a ledger, in a signed note. Nothing is believed yet. */
export function parseCheckpoint(note) {
  const { text, signatures } = parseNote(note);
  const [origin, sizeText, rootText, end, ...more] = text.split("\n");
  const [size, root] = [fromDecimal(sizeText ?? ""), fromBase64(rootText ?? "")];
  if (end !== "" || more.length > 0 || size === null || root?.length !== 32 || !/^[\x21-\x2a\x2c-\x7e]+$/.test(origin)) {
    throw new NoteError("checkpoint.malformed", "The checkpoint is not origin, size and root on three lines.");
  }
  return { note, text, signatures, origin, size, root };
}

/**
 * Whether a key signed a checkpoint: false where no line claims to be the key's. A line that does and is false condemns
 * the checkpoint, so that throws.
 */
export async function isSignedBy(checkpoint, vkey) {
  if (checkpoint.origin !== vkey.name) {
    throw new NoteError("checkpoint.other_origin", `The checkpoint is of ${checkpoint.origin}, the key signs for ${vkey.name}.`);
  }
  const claims = checkpoint.signatures.filter((line) => line.name === vkey.name && equal(line.keyId, vkey.keyId));
  if (claims.length === 0) return false;
  const key = await crypto.subtle.importKey("raw", vkey.raw, { name: "Ed25519" }, false, ["verify"]);
  for (const { signature } of claims) {
    const holds =
      signature.length === 64 && (await crypto.subtle.verify({ name: "Ed25519" }, key, signature, utf8(checkpoint.text)));
    if (!holds) throw new NoteError("signature.invalid", "A signature in the name of the pinned key is false.");
  }
  return true;
}
