// Files whose digests are asked about: dropped or chosen, digested in this browser, and never sent.

import { announce } from "./api.js";
import { toHex } from "./bytes.js";

/** WebCrypto takes a file whole, in memory: larger ones are for sha256sum. In bytes: 512 MiB. */
const MAX_FILE = 512 * 1024 * 1024;

/** The most that one list holds. */
const MAX_FILES = 10_000;

function wrong(message, field) {
  return Object.assign(new Error(message), { title: "Not taken", field });
}

async function digestOf(file, kind) {
  if (file.size > MAX_FILE) throw new Error(`${file.name} is larger than 512 MiB. Make its digest with sha256sum and paste the line.`);
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    throw new Error(`${file.name} could not be read. Folders have to be opened first.`);
  }
  return toHex(await crypto.subtle.digest(kind, bytes));
}

/** Every file as `{digest, name}`, one after another so that few are in memory. */
async function digested(files, kind, said) {
  const rows = [];
  for (const file of files) {
    said.textContent = `${rows.length + 1} of ${files.length}: ${file.name} …`;
    rows.push({ digest: await digestOf(file, kind), name: file.name });
  }
  return rows;
}

/** Puts digests where people would have typed them. */
function put(form, field, rows) {
  if (field.dataset.read === "list") {
    const lines = rows.map(({ digest, name }) => `${digest}  ${name}`);
    field.value = [field.value.trim(), ...lines].filter(Boolean).join("\n");
    return;
  }
  field.value = rows[0].digest;
  const name = form.querySelector('[data-name="artifact_name"]');
  if (name && !name.value) name.value = rows[0].name;
}

/** Lets a form take files for its digests; `refuse` tells people what could not be taken. */
export function takeFiles(form, refuse) {
  const place = form.querySelector("[data-drop]");
  const slot = form.querySelector('select[data-name="slot"]');
  if (!place || !slot) return;
  const [field, chooser] = [document.getElementById(place.dataset.drop), place.querySelector("input")];
  const said = place.querySelector("[data-digesting]");
  const one = field.dataset.read !== "list";
  const kind = () => slot.selectedOptions[0]?.dataset.digest ?? "SHA-256";
  let taken = "";
  async function take(files) {
    try {
      if (files.length === 0) throw wrong("That holds no file.", field);
      if (files.length > (one ? 1 : MAX_FILES)) throw wrong(one ? "One artifact at a time; a release takes a list." : "A list holds 10,000 artifacts at most.", field);
      const rows = await digested([...files], kind(), said);
      put(form, field, rows);
      taken = kind();
      said.textContent = `${rows.length === 1 ? "One file" : `${rows.length} files`}, ${taken}, digested in this browser.`;
      announce(said.textContent);
    } catch (error) {
      said.textContent = "Nothing was taken.";
      refuse(wrong(error.message, field));
    }
  }
  place.hidden = false;
  chooser.addEventListener("change", async () => {
    await take(chooser.files);
    chooser.value = "";
  });
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  // Another slot may sign digests of another kind: those that were made for the one before are not its own.
  slot.addEventListener("change", () => {
    if (!taken || taken === kind()) return;
    field.value = "";
    said.textContent = `${slot.value} signs ${kind()}: drop the files once more.`;
    taken = "";
  });
}
