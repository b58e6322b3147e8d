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
