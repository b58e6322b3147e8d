// Before the first paint, so that a page does not flash: the colours that the reader chose, if any.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("sealbook.theme");
  } catch {
    // A browser that keeps nothing shows what its system says.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
