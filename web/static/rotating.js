// A rotation's page: what people say of its steps is asked of the API, and what has changed in it is said aloud.

import { announce, clearRefusal, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";

/** What a chain may have, in bytes: the server takes no more. */
const MAX_CHAIN = 64 * 1024;

/** The step that the focus was in last: its button goes when the step is done, and the focus must not get lost. */
let last = null;

const steps = () => [...document.querySelectorAll(".course > li")];
const standing = () => new Map(steps().map((step) => [step.id, step.dataset.word]));
let stood = standing();

/** Says which steps stand elsewhere than they did. */
function tellChanges() {
  const now = standing();
  const changed = steps().filter(({ id, dataset }) => stood.get(id) !== dataset.word);
  stood = now;
  if (changed.length > 0) announce(`${changed.map(({ dataset }) => `${dataset.title}: ${dataset.word}`).join(". ")}.`);
}

async function say(button) {
  clearRefusal();
  button.disabled = true;
  try {
    await post(path(...button.dataset.post.split("/")));
    await refresh();
  } catch (error) {
    showRefusal(error);
  } finally {
    button.disabled = false;
  }
}

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

function bind() {
  for (const button of document.querySelectorAll("[data-post]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => say(button));
  }
  for (const form of document.querySelectorAll("[data-import]")) {
    if (!form.hidden) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => bring(form, event));
    const chooser = form.querySelector("[type=file]");
    chooser.addEventListener("change", () => read(form, chooser));
  }
}

bind();
document.addEventListener("focusin", ({ target }) => {
  last = target.closest?.(".course > li")?.id ?? null;
});
document.addEventListener("sealbook:exchanged", (event) => {
  bind();
  if (last && document.activeElement === document.body) document.getElementById(last)?.focus({ preventScroll: true });
  // Which step has moved is said, and not each event of the ledger.
  event.preventDefault();
  tellChanges();
});
