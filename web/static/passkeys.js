// Passkeys: one is made for a registration, and one signs exactly the digest that this page computed.

import { fromBase64url, sha256, toBase64url, toHex } from "./bytes.js";

/** Whether this browser has them here: over HTTPS, or on localhost. */
export const available = () => Boolean(window.PublicKeyCredential && navigator.credentials);

/** The end of the CBOR item that begins at a place (RFC 8949 §3); throws for what no COSE key holds. */
function endOf(bytes, at) {
  const [major, info] = [bytes[at] >> 5, bytes[at] & 31];
  const width = info < 24 ? 0 : [1, 2, 4][info - 24];
  if (width === undefined || !(at + width < bytes.length)) throw new TypeError("not a COSE key");
  const next = at + 1 + width;
  const value = width === 0 ? info : bytes.slice(at + 1, next).reduce((sum, byte) => sum * 256 + byte, 0);
  if (major < 2) return next;
  if (major < 4) return next + value;
  if (major !== 5) throw new TypeError("not a COSE key");
  let end = next;
  for (let item = 0; item < 2 * value; item += 1) end = endOf(bytes, end);
  return end;
}

/** The fingerprint of a passkey that was just made: SHA-256 of its public key as the authenticator gave it (WebAuthn §6.5.1). */
async function fingerprintOf(authenticatorData) {
  const bytes = new Uint8Array(authenticatorData);
  const key = 37 + 16 + 2 + bytes[53] * 256 + bytes[54];
  return toHex(await sha256(bytes.slice(key, endOf(bytes, key))));
}

/** Makes a passkey from the server's registration options; answers what the API takes as `passkey`, and its fingerprint. */
export async function createPasskey({ options }) {
  const asked = options.publicKey;
  const credential = await navigator.credentials.create({
    publicKey: {
      ...asked,
      challenge: fromBase64url(asked.challenge),
      user: { ...asked.user, id: fromBase64url(asked.user.id) },
      excludeCredentials: (asked.excludeCredentials ?? []).map(({ id, type }) => ({ type, id: fromBase64url(id) })),
    },
  });
  const { attestationObject, clientDataJSON } = credential.response;
  return {
    id: toBase64url(credential.rawId),
    fingerprint: await fingerprintOf(credential.response.getAuthenticatorData()),
    passkey: {
      attestation_object: toBase64url(attestationObject),
      client_data_json: toBase64url(clientDataJSON),
    },
  };
}

/** Signs a digest; answers the assertion as the API takes it. */
export async function sign(digest, rpId, credentialIds) {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: digest,
      rpId,
      userVerification: "required",
      timeout: 300_000,
      allowCredentials: credentialIds.map((id) => ({ type: "public-key", id: fromBase64url(id) })),
    },
  });
  const { authenticatorData, clientDataJSON, signature } = credential.response;
  return {
    credential_id: toBase64url(credential.rawId),
    authenticator_data: toBase64url(authenticatorData),
    client_data_json: toBase64url(clientDataJSON),
    signature: toBase64url(signature),
  };
}

/** Answers the server's challenge of a sign-in; with nobody listed, the passkey says whose it is. */
export async function answerOf({ challenge, public_key: options }) {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: fromBase64url(options.challenge),
      rpId: options.rpId,
      timeout: options.timeout,
      userVerification: options.userVerification,
      allowCredentials: options.allowCredentials.map(({ id, type }) => ({ type, id: fromBase64url(id) })),
    },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = credential.response;
  return {
    challenge,
    credential_id: toBase64url(credential.rawId),
    authenticator_data: toBase64url(authenticatorData),
    client_data_json: toBase64url(clientDataJSON),
    signature: toBase64url(signature),
    user_handle: toBase64url(userHandle ?? new ArrayBuffer(0)),
  };
}

/** What went wrong in the browser, in words. A refusal of the server's has words of its own. */
export function inWords(error, title = "Not done") {
  if (error.name === "Refused") return error;
  const words = {
    NotAllowedError: "No passkey was used: it was cancelled, or took too long.",
    InvalidStateError: "This authenticator holds a passkey of yours already. Use another one.",
    SecurityError: "This address is not the one that passkeys are made for. Use the server's public name.",
    NotSupportedError: "This authenticator can't make a passkey of the kind that is needed. Use another one.",
    Distrust: error.message,
  };
  const sentence = words[error.name] ?? "The browser could not use a passkey.";
  return Object.assign(new Error(error.name === "Distrust" ? sentence : `${sentence} Nothing has happened; try again.`), { title });
}

/** A server that says what this browser can't confirm. */
export function distrust(message) {
  return Object.assign(new Error(message), { name: "Distrust" });
}
