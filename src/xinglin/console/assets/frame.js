// What every page does by itself: the palette, live parts, menus that close, and the form token for htmx.
const token = document.body.dataset.csrf;
document.documentElement.classList.add("js");

document.addEventListener("htmx:configRequest", (event) => {
  if (token) event.detail.headers["X-CSRF-Token"] = token;
});

// Live parts: each [data-live] is one stream; its HTML replaces what is inside.
function listen(place) {
  const source = new EventSource(place.dataset.live);
  source.onmessage = (event) => {
    if (place.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) return;
    place.innerHTML = event.data;
    if (window.htmx) window.htmx.process(place);
    place.dispatchEvent(new CustomEvent("live:changed", { bubbles: true }));
  };
  source.addEventListener("end", () => source.close());
  window.addEventListener("pagehide", () => source.close());
}
document.querySelectorAll("[data-live]").forEach(listen);

// Menus: one open at a time, and none after Escape or a click elsewhere.
const menus = [...document.querySelectorAll("[data-menu]")];
document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (menu.open && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});
const side = document.querySelector("[data-side]");
if (side && window.matchMedia("(max-width: 60rem)").matches) side.open = false;

// The command palette.
const palette = document.getElementById("palette");
if (palette) {
  const text = document.getElementById("palette-text");
  const hits = document.getElementById("palette-hits");
  let asked = 0;
  const options = () => [...hits.querySelectorAll("[role=option]")];
  const mark = (at) => {
    options().forEach((one, n) => {
      one.setAttribute("aria-selected", String(n === at));
      one.id = `palette-hit-${n}`;
    });
    if (options()[at]) {
      text.setAttribute("aria-activedescendant", `palette-hit-${at}`);
      options()[at].scrollIntoView({ block: "nearest" });
    } else text.removeAttribute("aria-activedescendant");
  };
  const search = async () => {
    const mine = ++asked;
    const answer = await fetch(`/palette?q=${encodeURIComponent(text.value)}`, { headers: { accept: "text/html" } });
    const html = await answer.text();
    if (mine !== asked || !answer.ok) return;
    hits.innerHTML = html;
    mark(0);
  };
  const open = () => {
    if (palette.open) return;
    palette.showModal();
    text.value = "";
    text.focus();
    search();
  };
  document.querySelectorAll("[data-palette-open]").forEach((one) => one.addEventListener("click", open));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  let pause;
  text.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(search, 120);
  });
  text.addEventListener("keydown", (event) => {
    const found = options();
    const at = found.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") mark(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") mark(Math.max(at - 1, 0));
    else if (event.key === "Enter") found[Math.max(at, 0)]?.querySelector("a")?.click();
    else return;
    event.preventDefault();
  });
}

// A button that asks once more: the second press within five seconds does it.
document.addEventListener("submit", (event) => {
  const sure = event.submitter?.dataset.sure;
  if (sure && event.submitter.dataset.asked !== "yes") {
    event.preventDefault();
    const said = event.submitter.textContent;
    event.submitter.dataset.asked = "yes";
    event.submitter.textContent = sure;
    setTimeout(() => {
      event.submitter.dataset.asked = "";
      event.submitter.textContent = said;
    }, 5000);
  }
});
