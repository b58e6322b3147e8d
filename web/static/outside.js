// A certificate that waits for a CA outside: its chain is brought, or its request given up.

import { announce, clearRefusal, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";

/** What a chain may have, in bytes: the server takes no more. */
const MAX_CHAIN = 64 * 1024;

async function bring(form, event) {
  event.preventDefault();
  const [go, refusal] = [form.querySelector("[type=submit]"), form.querySelector("[data-refusal]")];
  clearRefusal(refusal);
  go.disabled = true;
  try {
    await post(path("certificates", form.dataset.import, "chain"), { chain_pem: form.elements.chain.value });
    // The page changes under no hand that writes: what was written is taken.
    form.reset();
    await refresh();
  } catch (error) {
    showRefusal(error, refusal);
  } finally {
    go.disabled = false;
  }
}

/** A file is read into the field, where it can be looked at before it is sent. */
async function read(form, chooser) {
  const [file] = chooser.files;
  const refusal = form.querySelector("[data-refusal]");
  clearRefusal(refusal);
  if (!file) return;
  try {
    if (file.size > MAX_CHAIN) throw new Error(`${file.name} is too large for a chain: at most 64 KiB.`);
    form.elements.chain.value = await file.text();
    announce(`${file.name} is in the field above.`);
  } catch (error) {
    showRefusal({ title: "Not taken", message: error.message }, refusal);
  } finally {
    chooser.value = "";
  }
}

async function giveUp(button) {
  const certificate = button.dataset.giveUp;
  clearRefusal();
  button.disabled = true;
  try {
    await post(path("certificates", certificate, "give-up"));
    // What was typed was meant for this request.
    document.querySelector(`[data-import="${CSS.escape(certificate)}"]`)?.reset();
    await refresh();
    announce("The request is given up.");
  } catch (error) {
    showRefusal(error);
  } finally {
    button.disabled = false;
  }
}

function bind() {
  for (const form of document.querySelectorAll("[data-import]")) {
    if (!form.hidden) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => bring(form, event));
    const chooser = form.querySelector("[type=file]");
    chooser.addEventListener("change", () => read(form, chooser));
  }
  for (const button of document.querySelectorAll("[data-give-up]")) {
    const about = button.closest("details");
    if (!about.hidden) continue;
    about.hidden = false;
    button.addEventListener("click", () => giveUp(button));
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
