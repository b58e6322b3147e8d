// Passkeys: one is made for a registration, and one signs exactly the digest that this page computed.

import { fromBase64url, toBase64url } from "./bytes.js";

/** Whether this browser has them here: over HTTPS, or on localhost. */
export const available = () => Boolean(window.PublicKeyCredential && navigator.credentials);

/** Makes a passkey from the server's registration options; answers what the API takes as `passkey`. */
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
