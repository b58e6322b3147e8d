// Signing in: a challenge from the server, an answer of the authenticator, a cookie that no script reads.

import { announce, clearRefusal, post, showRefusal } from "./api.js";
import { fromBase64url, toBase64url } from "./bytes.js";

const main = document.getElementById("main");
const button = document.getElementById("use-passkey");

/** A link from elsewhere arrives without the cookie; this page's own question has it, and then the server leads on. */
async function maybeSignedIn() {
  try {
    const response = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
    if (response.type === "opaqueredirect") location.replace(location.href);
  } catch {
    // No answer: the button will say so.
  }
}

async function assertion({ challenge, public_key: options }) {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: fromBase64url(options.challenge),
      rpId: options.rpId,
      timeout: options.timeout,
      userVerification: options.userVerification,
      allowCredentials: [],
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

/** What went wrong in the browser, in words. */
function inWords(error) {
  if (error.name === "Refused") return error;
  const words = {
    NotAllowedError: "No passkey was used: it was cancelled, took too long, or this device has none for this server.",
    SecurityError: "This address is not the one that passkeys were made for. Use the server's public name.",
  };
  const sentence = words[error.name] ?? "The browser could not use a passkey.";
  return Object.assign(new Error(`${sentence} Nothing has happened; try again.`), { title: "Not signed in" });
}

async function signIn() {
  clearRefusal();
  button.disabled = true;
  announce("Waiting for your passkey …");
  try {
    const answer = await assertion(await post("/v1/session/challenge"));
    announce("Checking …");
    const session = await post("/v1/session", answer);
    const next = main.dataset.next;
    location.replace(next.startsWith(`/t/${session.tenant}/`) ? next : session.inbox);
  } catch (error) {
    announce("");
    showRefusal(inWords(error));
    button.disabled = false;
    button.focus();
  }
}

if (window.PublicKeyCredential) {
  button.disabled = false;
  button.addEventListener("click", signIn);
} else {
  showRefusal(Object.assign(new Error("This browser has no passkeys. Use a current one, over HTTPS."), { title: "Not here" }));
}
maybeSignedIn();
