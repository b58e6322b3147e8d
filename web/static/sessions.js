// Ending sessions.

import { announce, del, path, showRefusal } from "./api.js";
import { refresh } from "./live.js";

async function end(button) {
  button.disabled = true;
  try {
    await del(path("sessions", button.dataset.endSession));
    announce("The session has ended.");
    await refresh();
  } catch (error) {
    button.disabled = false;
    showRefusal(error);
  }
}

function bind() {
  for (const button of document.querySelectorAll("[data-end-session]")) {
    button.hidden = false;
    button.addEventListener("click", () => end(button));
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
