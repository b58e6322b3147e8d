// Containment: a button says what it stops, a dialog asks once, one person is enough. Lifting it takes a quorum.
//
// A page calls the macro `contain::now` and loads this module; it binds again after each live exchange.

import { announce, clearRefusal, path, post, showRefusal } from "./api.js";
import { element, oneLine } from "./elements.js";
import { refresh } from "./live.js";

const MAX_REASON = 1000;

/** What containment is called, and what lifts it. */
const WAYS = {
  suspend: { does: "Suspend", done: "is suspended", lifted: "Lifting it takes a proposal and a quorum." },
  stop: { does: "Stop", done: "is stopped", lifted: "Another rotation takes a proposal and a quorum." },
};

function dialogFor({ contain, what, effect, verb = "suspend" }) {
  const { does, done, lifted } = WAYS[verb];
  const reason = element("textarea", { id: "contain-reason", name: "reason", maxlength: String(MAX_REASON), rows: "3" });
  const refusal = element("div", { class: "refusal", role: "alert", hidden: "" });
  const go = element("button", { class: "btn stop", type: "submit" }, `${does} ${what}`);
  const keep = element("button", { class: "btn", type: "button" }, "Leave it as it is");
  const form = element("form", { method: "dialog" },
    element("h2", { id: "contain-title" }, `${does} ${what} now?`),
    element("p", {}, effect),
    element("p", { class: "facts" }, `It holds at once, by your word alone, and is recorded. ${lifted}`),
    element("div", { class: "field" },
      element("label", { for: "contain-reason" }, "Reason (optional)"),
      reason),
    refusal,
    element("div", { class: "bar" }, go, keep));
  const dialog = element("dialog", { class: "ask", "aria-labelledby": "contain-title" }, form);
  keep.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearRefusal(refusal);
    go.disabled = true;
    try {
      const text = oneLine(reason.value);
      await post(path(...contain.split("/"), verb), text ? { reason: text } : {});
      dialog.close();
      await refresh();
      announce(`${what} ${done}.`);
    } catch (error) {
      showRefusal(error, refusal);
    } finally {
      go.disabled = false;
    }
  });
  return dialog;
}

function bind() {
  for (const button of document.querySelectorAll("[data-contain]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const dialog = dialogFor(button.dataset);
      document.body.append(dialog);
      dialog.showModal();
    });
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
