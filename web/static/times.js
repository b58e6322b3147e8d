// Times in the reader's zone, with UTC on hover. Elements with `data-keep` keep their words and change their hint only.

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Rewrites the times below an element. */
export function localise(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const utc = time.dateTime.replace("T", " ").replace(/\.\d+Z$/, " UTC");
    if ("keep" in time.dataset) {
      time.title = `${format.format(at)} (${utc})`;
    } else {
      time.textContent = format.format(at);
      time.title = utc;
    }
  }
}

/** A moment that a form begins with, in the reader's zone; one that can't be read is left out. */
export function givenMoment(field) {
  const at = new Date(field.dataset.given);
  if (Number.isNaN(at.getTime())) return;
  field.defaultValue = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
