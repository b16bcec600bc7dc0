"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const about = JSON.parse(byId("about").textContent);
  const rows = JSON.parse(byId("data").textContent);
  const [LEFT, RIGHT, LEFT_NAME, RIGHT_NAME, SCORE, MARGIN, TEST, LEFT_FACTS, RIGHT_FACTS] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const PER_PAGE = 50;
  let marks = {};
  try { marks = JSON.parse(localStorage.getItem(about.key)) || {}; } catch { marks = {}; }
  const keep = () => { try { localStorage.setItem(about.key, JSON.stringify(marks)); } catch { /* private window */ } };
  let shown = [];
  let page = 0;
  let here = 0;

  const element = (kind, text, name) => {
    const made = document.createElement(kind);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const wanted = (i) => {
    const mark = marks[i];
    const show = byId("show").value;
    if (show === "unmarked" && mark) return false;
    if ((show === "right" || show === "wrong") && mark !== show) return false;
    if (show === "test-wrong" && rows[i][TEST] !== "wrong") return false;
    const text = byId("search").value.trim().toLowerCase();
    if (!text) return true;
    return [LEFT, RIGHT, LEFT_NAME, RIGHT_NAME].some((cell) => rows[i][cell].toLowerCase().includes(text));
  };

  const choose = () => {
    shown = rows.map((_, i) => i).filter(wanted);
    const margin = (i) => (rows[i][MARGIN] === null ? Infinity : rows[i][MARGIN]);
    const order = byId("order").value;
    if (order === "margin") shown.sort((a, b) => margin(a) - margin(b) || a - b);
    if (order === "score") shown.sort((a, b) => rows[b][SCORE] - rows[a][SCORE] || a - b);
    page = 0;
    here = 0;
    draw();
  };

  const side = (name, id, facts, lang) => {
    const cell = element("td");
    const title = element("span", name || id, "name");
    title.dir = "auto";
    if (name) title.lang = lang;
    cell.append(title, element("span", id, "id"));
    for (const fact of facts) {
      const line = element("span", fact, "fact");
      line.dir = "auto";
      cell.append(line);
    }
    return cell;
  };

  const button = (i, mark, sign, label, name) => {
    const made = element("button", sign, name);
    made.type = "button";
    made.setAttribute("aria-label", label);
    made.setAttribute("aria-pressed", String(marks[i] === mark));
    made.addEventListener("click", () => set(i, marks[i] === mark ? "" : mark));
    return made;
  };

  const set = (i, mark) => {
    if (mark) marks[i] = mark; else delete marks[i];
    keep();
    draw();
  };

  const draw = () => {
    const start = page * PER_PAGE;
    const part = shown.slice(start, start + PER_PAGE);
    here = Math.max(0, Math.min(here, part.length - 1));
    const body = byId("rows");
    body.replaceChildren();
    part.forEach((i, place) => {
      const row = rows[i];
      const line = element("tr", "", place === here ? "here" : "");
      const pick = element("td", "", "pick");
      pick.append(button(i, "right", "\u2713", "right", "yes"), " ", button(i, "wrong", "\u2717", "wrong", "no"));
      const numbers = element("td", row[SCORE].toFixed(3), "numbers");
      if (row[MARGIN] !== null) numbers.append(element("span", `lead ${row[MARGIN].toFixed(3)}`, "id"));
      if (row[TEST]) numbers.append(element("span", `test: ${row[TEST]}`, `test ${row[TEST]}`));
      line.append(pick, side(row[LEFT_NAME], row[LEFT], row[LEFT_FACTS], about.left),
        side(row[RIGHT_NAME], row[RIGHT], row[RIGHT_FACTS], about.right), numbers);
      line.addEventListener("click", () => { here = place; });
      body.append(line);
    });
    const count = (mark) => Object.values(marks).filter((one) => one === mark).length;
    const right = count("right");
    const wrong = count("wrong");
    byId("state").textContent = `${shown.length.toLocaleString()} pairs shown; ${right} marked right, ${wrong} wrong, ${rows.length - right - wrong} not marked`;
    const pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
    byId("place").textContent = `page ${page + 1} of ${pages}`;
    byId("before").disabled = page === 0;
    byId("after").disabled = page + 1 >= pages;
    byId("export").disabled = right === 0;
    byId("export-wrong").disabled = wrong === 0;
  };

  const save = (mark, file) => {
    const lines = rows.filter((_, i) => marks[i] === mark).map((row) => `${row[LEFT]}\t${row[RIGHT]}\n`);
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([lines.join("")], { type: "text/tab-separated-values" }));
    link.download = file;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const turn = (step) => {
    const pages = Math.max(1, Math.ceil(shown.length / PER_PAGE));
    page = Math.max(0, Math.min(page + step, pages - 1));
    here = 0;
    draw();
    scrollTo(0, 0);
  };

  const move = (step) => {
    const last = Math.min(PER_PAGE, shown.length - page * PER_PAGE) - 1;
    here = Math.max(0, Math.min(here + step, last));
    draw();
    const line = byId("rows").children[here];
    if (line) line.scrollIntoView({ block: "nearest" });
  };

  byId("search").addEventListener("input", choose);
  byId("show").addEventListener("change", choose);
  byId("order").addEventListener("change", choose);
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  byId("export").addEventListener("click", () => save("right", about.exported));
  byId("export-wrong").addEventListener("click", () => save("wrong", `not-${about.exported}`));
  document.addEventListener("keydown", (event) => {
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const marking = { y: "right", n: "wrong", u: "" };
    const i = shown[page * PER_PAGE + here];
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key in marking && i !== undefined) {
      const before = shown.length;
      set(i, marking[event.key]);
      if (shown.length === before && event.key !== "u") move(1);
    }
  });
  choose();
})();
