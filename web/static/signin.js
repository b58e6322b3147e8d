// Signing in: a challenge from the server, an answer of the authenticator, a cookie that no script reads.

import { announce, clearRefusal, post, showRefusal } from "./api.js";
import { answerOf } from "./passkeys.js";

const main = document.getElementById("main");
const button = document.getElementById("use-passkey");
const other = document.getElementById("use-shared");
const buttons = [button, other].filter(Boolean);

/** A link from elsewhere arrives without the cookie; this page's own question has it, and then the server leads on. */
async function maybeSignedIn() {
  try {
    const response = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
    if (response.type === "opaqueredirect") location.replace(location.href);
  } catch {
    // No answer: the button will say so.
  }
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

async function signIn(shared) {
  clearRefusal();
  for (const one of buttons) one.disabled = true;
  announce("Waiting for your passkey …");
  try {
    const answer = await answerOf(await post("/v1/session/challenge", { shared }));
    announce("Checking …");
    const session = await post("/v1/session", answer);
    const next = main.dataset.next;
    location.replace(next.startsWith(`/t/${session.tenant}/`) ? next : session.inbox);
  } catch (error) {
    announce("");
    showRefusal(inWords(error));
    for (const one of buttons) one.disabled = false;
    (shared ? other : button).focus();
  }
}

if (window.PublicKeyCredential) {
  for (const one of buttons) one.disabled = false;
  button.addEventListener("click", () => signIn(false));
  other?.addEventListener("click", () => signIn(true));
} else {
  showRefusal(Object.assign(new Error("This browser has no passkeys. Use a current one, over HTTPS."), { title: "Not here" }));
}
maybeSignedIn();
