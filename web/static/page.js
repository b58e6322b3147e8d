// What every page does: times and hashes for people, the colours, signing out, and keeping up with the ledger.

import { del, path, showRefusal } from "./api.js";
import { follow } from "./live.js";
import "./renewal.js";
import { localise } from "./times.js";
import { watch } from "./watch.js";

function shorten(root = document) {
  for (const code of root.querySelectorAll("code[data-hash]")) {
    const whole = code.dataset.hash;
    if (whole.length <= 20 || code.dataset.shortened) continue;
    code.dataset.shortened = "yes";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "hash";
    button.title = "Show whole and copy";
    button.setAttribute("aria-label", `${whole.slice(0, 8)}…${whole.slice(-8)}: show whole and copy`);
    button.textContent = `${whole.slice(0, 8)}…${whole.slice(-8)}`;
    button.addEventListener("click", async () => {
      button.textContent = whole;
      button.classList.add("whole");
      try {
        await navigator.clipboard.writeText(whole);
        button.title = "Copied";
      } catch {
        button.title = "Select and copy";
      }
    });
    code.replaceChildren(button);
  }
}

function colours() {
  const set = document.querySelector("[data-themes]");
  if (!set) return;
  set.hidden = false;
  const chosen = document.documentElement.dataset.theme ?? "auto";
  for (const input of set.querySelectorAll("input")) input.checked = input.value === chosen;
  set.addEventListener("change", (event) => {
    const { value } = event.target;
    if (value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    try {
      if (value === "auto") localStorage.removeItem("sealbook.theme");
      else localStorage.setItem("sealbook.theme", value);
    } catch {
      // It holds for this page, then.
    }
  });
}

function signingOut() {
  const button = document.querySelector("[data-sign-out]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await del(path("session"));
      location.assign("/signin");
    } catch (error) {
      button.disabled = false;
      if (error.status === 401) location.assign("/signin");
      else showRefusal(error);
    }
  });
}

/** On a narrow screen the places scroll sideways: the one that is open is in sight. */
function showPlace() {
  const here = document.querySelector(".places [aria-current]");
  const strip = here?.closest(".places");
  if (!strip || strip.scrollWidth <= strip.clientWidth) return;
  const [{ left, width }, { left: edge }] = [here.getBoundingClientRect(), strip.getBoundingClientRect()];
  strip.scrollLeft += left - edge - (strip.clientWidth - width) / 2;
}

/** What a link leads to is seen, also where it is folded. */
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.localName === "details") target.open = true;
}

function dress(root) {
  localise(root);
  shorten(root);
}

dress();
showPlace();
unfold();
colours();
signingOut();
follow();
watch();
addEventListener("resize", showPlace);
addEventListener("hashchange", unfold);
document.addEventListener("sealbook:exchanged", () => dress(document.getElementById("main")));
