// Completion of a study's views and columns in the SQL text: a list below it, by arrow keys, Enter or Tab; Escape closes.
const area = document.getElementById("sql");
const list = document.getElementById("sql-words");
const said = document.getElementById("sql-said");
if (area && list) {
  const known = JSON.parse(area.dataset.completions);
  let at = -1;
  const options = () => [...list.children];
  const begun = () => /[A-Za-z_][\w.]*$/.exec(area.value.slice(0, area.selectionStart))?.[0] ?? "";
  const close = () => {
    list.hidden = true;
    at = -1;
    area.removeAttribute("aria-activedescendant");
  };
  const mark = (to) => {
    at = to;
    options().forEach((one, n) => one.setAttribute("aria-selected", String(n === at)));
    if (options()[at]) area.setAttribute("aria-activedescendant", options()[at].id);
  };
  const take = (word) => {
    const start = area.selectionStart - begun().split(".").pop().length;
    area.setRangeText(word, start, area.selectionStart, "end");
    close();
    area.focus();
    area.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  };
  const offer = () => {
    const word = begun().split(".").pop().toLowerCase();
    const found = word ? known.filter((one) => one.toLowerCase().startsWith(word) && one.toLowerCase() !== word).slice(0, 8) : [];
    list.replaceChildren(
      ...found.map((one, n) => {
        const item = document.createElement("li");
        item.role = "option";
        item.id = `sql-word-${n}`;
        item.textContent = one;
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(one);
        });
        return item;
      }),
    );
    list.hidden = !found.length;
    said.textContent = found.length ? `${said.dataset.words} ${found.length}` : "";
    if (found.length) mark(0);
    else close();
  };
  area.setAttribute("aria-autocomplete", "list");
  area.setAttribute("aria-controls", "sql-words");
  area.addEventListener("input", offer);
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    if (list.hidden || !options().length) return;
    if (event.key === "ArrowDown") mark((at + 1) % options().length);
    else if (event.key === "ArrowUp") mark((at - 1 + options().length) % options().length);
    else if (event.key === "Enter" || event.key === "Tab") take(options()[at].textContent);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}
