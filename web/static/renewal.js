// Showing the passkey again: what needs a fresh sign-in waits for it, and then goes on with everything that was typed.

import { announce, clearRefusal, get, path, post, refreshed, showRefusal, tenant, whenStale } from "./api.js";
import { element } from "./elements.js";
import { answerOf, inWords } from "./passkeys.js";

/** The dialog that is open, if one is: several requests wait for the same passkey. */
let asked = null;

async function renew() {
  const challenge = await post(path("session", "renewal", "challenge"));
  const answer = await answerOf(challenge);
  refreshed(await post(path("session", "renewal"), answer));
}

/** Asks for the passkey; answers whether the session is fresh from now on. */
export function again() {
  asked ??= new Promise((resolve) => {
    const refusal = element("div", { class: "refusal", role: "alert", hidden: "" });
    const go = element("button", { class: "btn go", type: "submit" }, "Use your passkey");
    const leave = element("button", { class: "btn", type: "button" }, "Not now");
    const form = element("form", { method: "dialog" },
      element("h2", { id: "renewal-title" }, "Is it still you?"),
      element("p", {}, "You signed in a while ago, and this takes a fresh sign-in. Show the passkey that signs you in; what you typed stays, and it goes on from here."),
      refusal,
      element("div", { class: "bar" }, go, leave));
    const dialog = element("dialog", { class: "ask", id: "renewal", "aria-labelledby": "renewal-title" }, form);
    let fresh = false;
    leave.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      asked = null;
      resolve(fresh);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearRefusal(refusal);
      go.disabled = true;
      announce("Waiting for your passkey …");
      try {
        await renew();
        fresh = true;
        announce("");
        dialog.close();
      } catch (error) {
        announce("");
        showRefusal(inWords(error, "Not signed in again"), refusal);
        go.disabled = false;
        go.focus();
      }
    });
    document.body.append(dialog);
    dialog.showModal();
    go.focus();
  });
  return asked;
}

/** A plain download is the browser's own request, which shows no dialog: the session is looked at before it begins. */
async function download(event) {
  const link = event.target.closest?.("a[data-fresh]");
  if (!link) return;
  event.preventDefault();
  try {
    const { fresh } = await get(path("session"));
    if (fresh || await again()) location.assign(link.href);
  } catch (error) {
    showRefusal(error);
  }
}

if (tenant()) {
  whenStale(again);
  document.addEventListener("click", download);
}
