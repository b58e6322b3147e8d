// On every signed-in page: is this still the ledger that this browser saw? A mark where that was checked here; where the
// history was rewritten, a banner that stays.

import { checkLedger, dismiss, origin } from "./trust.js";

const WORDS = {
  verified: ["ok", "Checked in this browser"],
  unpinned: ["dim", "Key not pinned here yet"],
  unable: ["dim", "This browser can't check"],
  unreachable: ["dim", "Not checked just now"],
  alarm: ["bad", "Not the ledger seen before"],
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The mark stands beside #sealed, whose contents the server renews: this one is the browser's own. */
function mark({ state, size, before, message }) {
  const sealed = document.getElementById("sealed");
  if (!sealed) return;
  const [tone, words] = WORDS[state];
  const chip = element("a", { id: "checked", class: `chip ${tone}`, href: `/t/${document.querySelector('meta[name="tenant"]').content}/ledger#pin` }, words);
  if (state === "verified") {
    chip.title = `Checkpoint ${size} is signed by the key you pinned${before ? `, and continues checkpoint ${before.size}, seen here before` : ""}.`;
  } else if (state === "unpinned") {
    chip.title = "The ledger continues what this browser saw before; whose signature it bears is checked once you pin its key.";
  } else if (message) {
    chip.title = message;
  }
  document.getElementById("checked")?.remove();
  sealed.after(chip);
}

const words = (iso) => (iso ? new Date(iso).toLocaleString() : "an earlier visit");

function download(name, text) {
  const link = element("a", { class: "btn", download: name, href: URL.createObjectURL(new Blob([text], { type: "text/plain" })) });
  link.textContent = `Keep ${name}`;
  return link;
}

function starting() {
  const agree = element("input", { type: "checkbox", id: "alarm-agree" });
  const begin = element("button", { type: "button", class: "btn", disabled: "" }, "Begin anew with what the server shows");
  agree.addEventListener("change", () => (begin.disabled = !agree.checked));
  begin.addEventListener("click", () => {
    dismiss();
    location.reload();
  });
  const label = element("label", { for: "alarm-agree" }, agree, " I have kept both notes and told whoever audits this ledger");
  return element("details", {}, element("summary", {}, "When this has been looked into"), element("p", {}, label), begin);
}

/** The banner: what was seen, when, and both notes to keep. It outlives pages, and the exchange of what is in them. */
function warn({ code, message, at, before, after }) {
  if (document.getElementById("rewritten")) return;
  const banner = element("section", { id: "rewritten", class: "rewritten", role: "alert", "aria-label": "This is not the ledger that this browser saw before" });
  banner.append(
    element("h2", {}, "This is not the ledger that this browser saw before"),
    element("p", {}, message),
    element("p", {}, `Ledger ${origin()}. ` + (before ? `Seen on ${words(before.at)}: ${before.size} events under root ${before.root}. ` : "") +
      `Found on ${words(at)}` + (after ? `: the server shows ${after.size} events. ` : ". ") +
      "Sign nothing here until somebody has explained it; the notes below prove what was shown."),
  );
  const bar = element("p", { class: "bar" });
  if (before) bar.append(download("checkpoint-seen-before.txt", before.note));
  if (after) bar.append(download("checkpoint-shown-now.txt", after.note));
  banner.append(bar, element("p", { class: "facts" }, "Rule ", element("code", {}, code)), starting());
  document.body.classList.add("alarmed");
  document.querySelector("header.top")?.after(banner);
}

/** Checks once for a page. */
export async function watch() {
  if (!origin()) return null;
  const found = await checkLedger();
  mark(found);
  if (found.state === "alarm") warn(found);
  document.dispatchEvent(new CustomEvent("sealbook:checked", { detail: found }));
  return found;
}
