// Inviting people: the API makes a ticket, the page makes the link. It is shown once, and kept nowhere.

import { announce, clearRefusal, path, post, showRefusal, tenant } from "./api.js";

const main = () => document.getElementById("main");

function show(name, { ticket, expires_at: ends }) {
  const place = document.getElementById("one-time");
  const link = `${location.origin}/t/${encodeURIComponent(tenant())}/join#${ticket}`;
  place.querySelector("[data-for]").textContent = name;
  place.querySelector("[data-link]").textContent = link;
  const until = place.querySelector("[data-ends]");
  until.dateTime = ends;
  until.textContent = new Date(ends).toLocaleString();
  until.title = ends;
  place.hidden = false;
  // The page must not be exchanged while the only copy of the link is on it.
  main().dataset.liveOff = "";
  place.focus();
  announce(`The link for ${name} is ready.`);
}

async function invite(event) {
  event.preventDefault();
  const form = event.target;
  const refusal = form.querySelector("[data-refusal]");
  const go = form.querySelector("button[type=submit]");
  const fields = new FormData(form);
  const [name, roles] = [fields.get("display_name").trim(), fields.getAll("roles")];
  clearRefusal(refusal);
  if (!roles.length) {
    showRefusal({ title: "No role chosen", message: "Choose at least one role to propose them with." }, refusal);
    return;
  }
  go.disabled = true;
  try {
    show(name, await post(path("candidates"), { display_name: name, roles }));
    form.reset();
  } catch (error) {
    showRefusal(error, refusal);
  } finally {
    go.disabled = false;
  }
}

async function inviteAgain(button) {
  button.disabled = true;
  try {
    show(button.dataset.name, await post(path("members", button.dataset.inviteAgain, "invitations"), button.dataset.use ? { uses: [button.dataset.use] } : {}));
    button.closest("details")?.removeAttribute("open");
  } catch (error) {
    showRefusal(error);
  } finally {
    button.disabled = false;
  }
}

async function copy() {
  const link = document.querySelector("[data-link]");
  try {
    await navigator.clipboard.writeText(link.textContent);
    announce("The link is copied.");
  } catch {
    getSelection().selectAllChildren(link);
    announce("The link is selected: copy it from here.");
  }
}

function bind() {
  const form = document.querySelector("[data-invite]");
  if (form?.hidden) {
    form.hidden = false;
    form.addEventListener("submit", invite);
  }
  for (const button of document.querySelectorAll("[data-invite-again]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => inviteAgain(button));
  }
  const button = document.querySelector("[data-copy]");
  if (button && !button.dataset.bound) {
    button.dataset.bound = "yes";
    button.addEventListener("click", copy);
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
