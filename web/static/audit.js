// Exports with their progress: bytes and events as they arrive, then a link that saves what is here.

import { announce, clearRefusal, mended, Refused, showRefusal } from "./api.js";

const BLOCK = 512;

/** Counts the events of a bundle that arrives in pieces: the lines of `events.jsonl`, or the receipts. */
class Counter {
  events = 0;
  #header = new Uint8Array(BLOCK);
  #have = 0;
  #left = 0;
  #pad = 0;
  #lines = false;

  take(bytes) {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const end = Math.min(bytes.length, at + this.#left);
        if (this.#lines) for (let i = at; i < end; i += 1) this.events += bytes[i] === 10 ? 1 : 0;
        this.#left -= end - at;
        at = end;
      } else if (this.#pad > 0) {
        const skipped = Math.min(bytes.length - at, this.#pad);
        this.#pad -= skipped;
        at += skipped;
      } else {
        const part = Math.min(bytes.length - at, BLOCK - this.#have);
        this.#header.set(bytes.subarray(at, at + part), this.#have);
        this.#have += part;
        at += part;
        if (this.#have === BLOCK) this.#begin();
      }
    }
  }

  #begin() {
    this.#have = 0;
    const text = (from, to) => new TextDecoder().decode(this.#header.subarray(from, to)).replace(/[\0 ].*$/s, "");
    const [name, size] = [text(0, 100), parseInt(text(124, 136), 8) || 0];
    this.#lines = name === "events.jsonl";
    if (name.startsWith("receipts/")) this.events += 1;
    this.#left = size;
    this.#pad = (BLOCK - (size % BLOCK)) % BLOCK;
  }
}

function amount(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function address(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
  return `${form.action}?${query}`;
}

async function problem(response) {
  const known = response.headers.get("content-type")?.startsWith("application/problem+json");
  return new Refused(known ? await response.json() : {}, response.status);
}

async function take(form) {
  const part = (name) => form.querySelector(`[data-${name}]`);
  const ask = () => fetch(address(form), { credentials: "same-origin", redirect: "error" });
  let response = await ask();
  if (!response.ok) {
    const refused = await problem(response);
    if (!(await mended(refused))) throw refused;
    response = await ask();
  }
  if (!response.ok) throw await problem(response);
  const expected = Number(response.headers.get("x-sealbook-events") ?? 0);
  const [counter, chunks] = [new Counter(), []];
  let size = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
    counter.take(value);
    if (expected) {
      part("bar").max = expected;
      part("bar").value = counter.events;
    }
    part("said").textContent = `${amount(size)}, ${counter.events} of ${expected} events so far`;
  }
  const save = part("save");
  if (save.href) URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(new Blob(chunks, { type: "application/x-tar" }));
  save.download = response.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "ledger.tar";
  save.hidden = false;
  part("said").textContent = `${amount(size)}, ${counter.events} events: complete. Check it with sealbook-verify and the key that you pinned.`;
  save.focus();
  announce("The bundle is complete.");
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const [go, refusal] = [form.querySelector("[data-go]"), form.querySelector("[data-refusal]")];
  clearRefusal(refusal);
  // Neither a form nor a bundle on its way is exchanged under the reader's hands.
  document.getElementById("main").dataset.liveOff = "";
  go.disabled = true;
  form.querySelector("[data-save]").hidden = true;
  form.querySelector("[data-progress]").hidden = false;
  form.querySelector("[data-bar]").removeAttribute("value");
  try {
    await take(form);
  } catch (error) {
    form.querySelector("[data-progress]").hidden = true;
    const told = error instanceof Refused ? error : { title: "The export broke off", message: "What arrived is of no use: start it again." };
    showRefusal(told, refusal);
  } finally {
    go.disabled = false;
  }
}

function bind() {
  const form = document.querySelector("[data-export]");
  const go = form?.querySelector("[data-go]");
  if (!go?.hidden) return;
  go.hidden = false;
  form.addEventListener("submit", submit);
}

bind();
document.addEventListener("sealbook:exchanged", bind);
