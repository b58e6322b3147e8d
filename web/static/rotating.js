// A rotation's page: what people say of its steps is asked of the API, and what has changed in it is said aloud.

import { clearRefusal, path, post, showRefusal } from "./api.js";
import { refresh } from "./live.js";
import { follow } from "./standing.js";

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

function bind() {
  for (const button of document.querySelectorAll("[data-post]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    button.addEventListener("click", () => say(button));
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
follow(".course > li");
