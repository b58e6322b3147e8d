// The Ledger page and one event's page: the key that the reader trusts, and checking receipts against it on this device.

import { announce } from "./api.js";
import { equal } from "./bytes.js";
import { fromBase64, toBase64 } from "./note.js";
import { keyIn, pin, pinned, receiptOf, verifyUnderPin } from "./trust.js";
import { watch } from "./watch.js";

/** Receipts that are asked for at the same time. */
const AT_ONCE = 4;

/** What was checked on this page, by seq: marks come back after the page has been exchanged. */
const proved = new Map();

const $ = (selector, root = document) => root.querySelector(selector);

/** What was found out about the one event of a page: said again once the page has been exchanged. */
let verdict = null;

function say(into, tone, title, sentence) {
  if (!into) return;
  const bold = document.createElement("b");
  bold.textContent = title;
  const small = document.createElement("small");
  small.textContent = sentence;
  const words = document.createElement("span");
  words.append(bold, small);
  into.className = `proof ${tone}`;
  into.replaceChildren(words);
  into.hidden = false;
}

// ------------------------------------------------------------------ pinning

function showPin() {
  const panel = $("[data-pinning]");
  if (!panel) return;
  const pin = pinned();
  panel.hidden = false;
  $("[data-pinned]", panel).hidden = !pin;
  $("[data-unpinned]", panel).hidden = Boolean(pin);
  $("[data-pinned-key]", panel).textContent = pin?.vkey ?? "";
  const since = $("[data-pinned-since]", panel);
  since.textContent = pin?.at ? `Pinned in this browser on ${new Date(pin.at).toLocaleString()}.` : "Pinned in this browser.";
  const opened = panel.dataset.opened;
  $("[data-pinned-compared]", panel).textContent =
    pin?.vkey === opened ? "It is the key that this ledger was opened under." : "It is not the key that this ledger was opened under: a later one, or another ledger's.";
}

async function askToPin(form) {
  const [field, warning] = [$("textarea", form), $("[data-pin-warning]", form)];
  try {
    const vkey = await keyIn(field.value);
    field.removeAttribute("aria-invalid");
    const before = pinned();
    if (before && before.vkey !== vkey && warning.dataset.for !== vkey) {
      warning.dataset.for = vkey;
      say(warning, "warn", "You trust another key already",
        `Pinned is ${before.vkey}. Another one belongs here only if the ledger key was lost or you pinned a wrong one: compare it with the birth certificate, then press again to change it.`);
      $("[data-pin-button]", form).textContent = "Change the pinned key";
      return;
    }
    pin(vkey);
    warning.hidden = true;
    delete warning.dataset.for;
    form.reset();
    $("[data-pin-button]", form).textContent = "Pin this key";
    form.closest("details")?.removeAttribute("open");
    showPin();
    announce("The key is pinned in this browser.");
    await watch();
  } catch (error) {
    field.setAttribute("aria-invalid", "true");
    say(warning, "bad", "Not pinned", error.message);
  }
}

function bindPin() {
  showPin();
  const form = $("[data-pin-form]");
  if (!form || form.dataset.bound) return;
  form.dataset.bound = "yes";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    askToPin(form);
  });
  $("input[type=file]", form).addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    $("textarea", form).value = (await file.slice(0, 65_536).text()).trim();
  });
}

// ------------------------------------------------------------------ one event

function conclude(...words) {
  verdict = words;
  say($("[data-verdict]"), ...words);
}

function showProved(receipt) {
  const { index, checkpoint, signer } = receipt;
  const pin = pinned();
  const since = pin?.at ? ` on ${new Date(pin.at).toLocaleDateString()}` : "";
  const key = signer.vkey.text === pin?.vkey ? `the key you pinned${since}` : "a ledger key that the one you pinned handed over to";
  conclude("ok", "Verified in this browser", `Event ${index} stands at its place in checkpoint ${checkpoint.size}, which is signed by ${key}.`);
}

async function verifyEvent(button) {
  const { verifyEvent: seq, bytes } = button.dataset;
  button.disabled = true;
  try {
    const receipt = await verifyUnderPin(await receiptOf(seq));
    if (receipt.index !== Number(seq) || !equal(receipt.bytes, fromBase64(bytes) ?? new Uint8Array())) {
      throw new Error("The receipt proves other bytes than this page shows.");
    }
    showProved(receipt);
    announce("Verified in this browser.");
  } catch (error) {
    const missing = ["pin.missing", "browser.unable", "seal.pending"].includes(error.code);
    conclude(missing ? "calm" : "bad", missing ? "Not verified yet" : "Does not verify", error.message);
    announce("Not verified.");
  } finally {
    button.disabled = false;
  }
}

// ------------------------------------------------------------------ every event of a page

function markRow(seq, outcome) {
  const row = $(`li[data-seq="${CSS.escape(seq)}"]`);
  const place = row && $("[data-mark]", row);
  if (!place) return;
  row.classList.toggle("proved", outcome.ok);
  row.classList.toggle("disproved", !outcome.ok);
  place.textContent = outcome.ok ? "✓ verified" : "✗ does not verify";
  place.title = outcome.words;
}

async function verifyOne(seq) {
  const receipt = await verifyUnderPin(await receiptOf(seq));
  if (receipt.index !== Number(seq)) throw new Error("The receipt is of another event.");
  return `In checkpoint ${receipt.checkpoint.size}, signed by a key that you trust; leaf ${toBase64(receipt.leaf)}`;
}

async function verifyAll(button) {
  const bar = $("[data-verify-progress]");
  const seqs = [...document.querySelectorAll("li[data-seq]")].map((row) => row.dataset.seq);
  const wrong = [];
  let done = 0;
  button.disabled = true;
  bar.hidden = false;
  bar.max = seqs.length;
  bar.value = 0;
  announce(`Verifying ${seqs.length} receipts.`);
  const queue = [...seqs];
  const stops = new Error("stopped");
  const work = async () => {
    for (let seq = queue.shift(); seq !== undefined; seq = queue.shift()) {
      const outcome = await verifyOne(seq).then((words) => ({ ok: true, words }), (error) => ({ ok: false, words: error.message, code: error.code }));
      if (["pin.missing", "browser.unable", "network.unreachable"].includes(outcome.code)) {
        queue.length = 0;
        stops.message = outcome.words;
        throw stops;
      }
      proved.set(seq, outcome);
      markRow(seq, outcome);
      if (!outcome.ok) wrong.push(`${seq}: ${outcome.words}`);
      bar.value = done += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (wrong.length) say($("[data-verdict]"), "bad", `${wrong.length} of ${seqs.length} events do not verify`, wrong.slice(0, 5).join(" · "));
    else say($("[data-verdict]"), "ok", "Verified in this browser", `The receipts of all ${seqs.length} events on this page hold under the key you pinned.`);
  } catch {
    say($("[data-verdict]"), "calm", "Not verified", stops.message);
  } finally {
    bar.hidden = true;
    button.disabled = false;
    announce($("[data-verdict]")?.textContent ?? "");
  }
}

function bind() {
  bindPin();
  for (const [seq, outcome] of proved) markRow(seq, outcome);
  if (verdict && $("[data-verify-event]")) say($("[data-verdict]"), ...verdict);
  for (const button of document.querySelectorAll("[data-verify-event], [data-verify-all]")) {
    if (button.dataset.bound) continue;
    button.dataset.bound = "yes";
    button.hidden = false;
    button.addEventListener("click", () => ("verifyAll" in button.dataset ? verifyAll(button) : verifyEvent(button)));
  }
}

bind();
document.addEventListener("sealbook:exchanged", () => {
  bind();
  watch();
});
if ($("[data-verify-event]") && pinned()) verifyEvent($("[data-verify-event]"));
