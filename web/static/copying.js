// Buttons that copy a text of the page: `data-copy` holds it. Without this module the text can be selected as any other.

import { copies } from "./elements.js";

function bind() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!button.hidden) continue;
    button.hidden = false;
    copies(button, () => button.dataset.copy);
  }
}

bind();
document.addEventListener("sealbook:exchanged", bind);
