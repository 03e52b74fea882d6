// Keyboard review of an inbox: j and k move, Enter opens, a letter does the deed that carries it.
const list = document.querySelector("[data-review]");
if (list) {
  const items = () => [...list.querySelectorAll("[data-item]")];
  const here = () => items().findIndex((one) => one.contains(document.activeElement));
  const go = (at) => items()[Math.max(0, Math.min(at, items().length - 1))]?.focus();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const at = here();
    if (event.key === "j") go(at + 1);
    else if (event.key === "k") go(at < 0 ? 0 : at - 1);
    else if (at < 0) return;
    else if (event.key === "Enter" && document.activeElement === items()[at]) items()[at].querySelector("h2 a").click();
    else {
      const form = items()[at].querySelector(`form[data-key="${CSS.escape(event.key)}"]`);
      if (!form || event.key.length !== 1) return;
      form.requestSubmit();
    }
    event.preventDefault();
  });
}
