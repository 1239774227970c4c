// The organiser's plan: shows and changes the lines of text beside it, which are what is saved.
import { say } from "./say.js";

const AISLE = "_";
const GONE = ".";
const isSeat = (sign) => /[A-Za-z]/.test(sign);

const parse = (text) => text.replace(/^\n+|\n+$/g, "").split("\n").map((line) => {
  const at = line.lastIndexOf(":");
  return { label: line.slice(0, Math.max(at, 0)).trim(), signs: [...line.slice(at + 1).trim()] };
});
const format = (rows) => rows.map(({ label, signs }) => {
  const places = signs.join("").replace(/_+$/, "");
  return places || label ? `${label}: ${places}` : "";
}).join("\n");

class Board {
  constructor(section) {
    this.form = section.closest("[data-hall]");
    this.section = section;
    this.text = section.querySelector("[data-rows]");
    this.back = section.querySelector('[name^="back-"]');
    this.place = section.querySelector("[data-board]");
    this.selected = new Set();
    this.at = [0, 0];
    this.anchor = [0, 0];
    const tools = section.querySelector("[data-tools]");
    tools.hidden = false;
    along(tools, 0);
    this.place.hidden = false;
    section.querySelector("[data-how]").hidden = false;
    section.querySelector("[data-as-text]").open = Boolean(section.querySelector("[data-as-text] .error"));
    this.draw();
  }

  get width() {
    return Math.max(1, ...this.rows.map((row) => row.signs.length));
  }

  // Numbers as the server gives them: aisles have none, removed seats keep theirs.
  numbers(signs) {
    const found = [];
    let number = 0;
    const order = [...signs.keys()];
    if (this.back.checked) order.reverse();
    for (const i of order) {
      if (signs[i] !== AISLE) number += 1;
      found[i] = number;
    }
    return found;
  }

  words(row, column, sign, number) {
    const { dataset } = this.form;
    const tier = this.tier(sign);
    const what = sign === AISLE ? dataset.aisle : sign === GONE ? `${dataset.seatWord} ${number}, ${dataset.removed}` : `${dataset.seatWord} ${number}, ${tier?.dataset.name ?? sign}`;
    const wheelchair = isSeat(sign) && sign === sign.toLowerCase() ? `, ${dataset.wheelchair}` : "";
    return `${dataset.row} ${this.rows[row].label || dataset.passage}, ${dataset.place} ${column + 1}: ${what}${wheelchair}`;
  }

  tier(sign) {
    return this.form.querySelector(`[data-tier-of="${CSS.escape(sign.toUpperCase())}"]`);
  }

  draw(focus = false) {
    this.rows = parse(this.text.value);
    const { dataset } = this.form;
    const grid = document.createElement("div");
    grid.className = "seat-grid";
    grid.setAttribute("role", "grid");
    grid.setAttribute("aria-multiselectable", "true");
    grid.setAttribute("aria-label", this.section.querySelector('[name^="name-"]').value || this.section.querySelector("legend").textContent);
    grid.setAttribute("aria-description", dataset.keys);
    grid.style.setProperty("--columns", this.width);
    this.rows.forEach((row, r) => {
      const line = document.createElement("div");
      line.className = "seat-row";
      line.setAttribute("role", "row");
      const head = document.createElement("span");
      head.setAttribute("role", "rowheader");
      head.className = "seat-row-name";
      head.dataset.head = r;
      head.textContent = row.label || "–";
      line.append(head);
      const signs = [...row.signs, ...Array(this.width - row.signs.length).fill(AISLE)];
      const numbers = this.numbers(signs);
      signs.forEach((sign, c) => line.append(this.cell(r, c, sign, numbers[c])));
      grid.append(line);
    });
    const hall = document.createElement("div");
    hall.className = "seat-hall";
    const stage = document.createElement("p");
    stage.className = "seat-stage";
    stage.textContent = dataset.stage;
    hall.append(stage, grid);
    this.place.replaceChildren(hall);
    this.at = [Math.min(this.at[0], this.rows.length - 1), Math.min(this.at[1], this.width - 1)];
    this.mark();
    if (focus) this.cellAt(...this.at)?.focus();
    count(this.form);
  }

  cell(r, c, sign, number) {
    const cell = document.createElement("span");
    const tier = isSeat(sign) ? this.tier(sign) : null;
    cell.setAttribute("role", "gridcell");
    cell.className = tier ? `seat is-${tier.dataset.shape} tier-${tier.dataset.tint}` : sign === GONE ? "seat is-removed" : "seat is-aisle";
    cell.classList.toggle("is-accessible", Boolean(tier) && sign === sign.toLowerCase());
    cell.dataset.at = `${r} ${c}`;
    cell.tabIndex = -1;
    cell.textContent = sign === AISLE ? "" : sign === GONE ? "×" : number;
    cell.setAttribute("aria-label", this.words(r, c, sign, number));
    return cell;
  }

  cellAt(r, c) {
    return this.place.querySelector(`[data-at="${r} ${c}"]`);
  }

  mark() {
    for (const cell of this.place.querySelectorAll("[data-at]")) {
      cell.setAttribute("aria-selected", String(this.selected.has(cell.dataset.at)));
      cell.tabIndex = cell.dataset.at === this.at.join(" ") ? 0 : -1;
    }
  }

  select(from, to, more = false) {
    if (!more) this.selected.clear();
    for (let r = Math.min(from[0], to[0]); r <= Math.max(from[0], to[0]); r += 1) {
      for (let c = Math.min(from[1], to[1]); c <= Math.max(from[1], to[1]); c += 1) this.selected.add(`${r} ${c}`);
    }
    this.mark();
    if (this.selected.size > 1) say(this.form.dataset.selected.replace("{count}", this.selected.size));
  }

  go(r, c, extend) {
    this.at = [Math.min(Math.max(r, 0), this.rows.length - 1), Math.min(Math.max(c, 0), this.width - 1)];
    if (extend) this.select(this.anchor, this.at);
    else {
      this.anchor = this.at;
      this.mark();
    }
    this.cellAt(...this.at).focus();
  }

  // Apply a tool to what is selected, or to the place that has the focus.
  use(tool) {
    const places = (this.selected.size ? [...this.selected] : [this.at.join(" ")]).map((at) => at.split(" ").map(Number));
    for (const row of this.rows) while (row.signs.length < this.width) row.signs.push(AISLE);
    if (tool === "row") {
      const after = Math.max(...places.map(([r]) => r));
      const number = Math.max(0, ...this.rows.map((row) => Number(row.label) || 0)) + 1;
      this.rows.splice(after + 1, 0, { label: String(number), signs: this.rows[after].signs.map((sign) => (isSeat(sign) ? sign.toUpperCase() : sign)) });
    } else if (tool === "drop") {
      const gone = new Set(places.map(([r]) => r));
      if (gone.size < this.rows.length) this.rows = this.rows.filter((_, r) => !gone.has(r));
    } else if (tool === "column") {
      for (const r of new Set(places.map(([row]) => row))) {
        const signs = this.rows[r].signs;
        while (signs.at(-1) === AISLE) signs.pop();
        signs.push(signs.findLast(isSeat)?.toUpperCase() ?? "A");
      }
    } else if (tool === "wheelchair") {
      const seats = places.filter(([r, c]) => isSeat(this.rows[r].signs[c]));
      const small = seats.some(([r, c]) => this.rows[r].signs[c] !== this.rows[r].signs[c].toLowerCase());
      for (const [r, c] of seats) {
        const sign = this.rows[r].signs[c];
        this.rows[r].signs[c] = small ? sign.toLowerCase() : sign.toUpperCase();
      }
    } else {
      for (const [r, c] of places) this.rows[r].signs[c] = tool;
    }
    this.text.value = format(this.rows);
    if (["row", "drop", "column"].includes(tool)) this.selected.clear();
    this.draw();
    say(this.form.dataset.done.replace("{count}", places.length));
  }
}

const boards = new WeakMap();
const boardOf = (element) => boards.get(element.closest?.("[data-hall-section]"));

// A toolbar is one stop for Tab; arrows go along it.
function along(toolbar, to) {
  const tools = [...toolbar.querySelectorAll("[data-tool]")];
  const next = tools[(to + tools.length) % tools.length];
  for (const tool of tools) tool.tabIndex = tool === next ? 0 : -1;
  return next;
}

function count(form) {
  const signs = [...form.querySelectorAll("[data-rows]")].flatMap((area) => parse(area.value).flatMap((row) => row.signs));
  const parts = [...form.querySelectorAll("[data-tier-of]")].map((tier) => {
    const seats = signs.filter((sign) => sign.toUpperCase() === tier.dataset.tierOf).length;
    return `${tier.dataset.name}: ${seats}`;
  });
  const words = parts.join(" · ");
  const place = form.querySelector("[data-hall-sum]");
  if (place.textContent !== words) place.textContent = words;
}

function enhance() {
  for (const section of document.querySelectorAll("[data-hall-section]")) {
    if (!boards.has(section)) boards.set(section, new Board(section));
  }
}

document.addEventListener("keydown", (event) => {
  const tool = event.target.closest?.("[data-tools] [data-tool]");
  if (!tool) return;
  const toolbar = tool.closest("[data-tools]");
  const at = [...toolbar.querySelectorAll("[data-tool]")].indexOf(tool);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  along(toolbar, to).focus();
});

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("[data-board] [data-at]");
  if (!cell) return;
  const board = boardOf(cell);
  const [r, c] = board.at;
  const far = event.ctrlKey || event.metaKey;
  switch (event.key) {
    case "ArrowLeft": board.go(r, c - 1, event.shiftKey); break;
    case "ArrowRight": board.go(r, c + 1, event.shiftKey); break;
    case "ArrowUp": board.go(r - 1, c, event.shiftKey); break;
    case "ArrowDown": board.go(r + 1, c, event.shiftKey); break;
    case "Home": board.go(far ? 0 : r, 0, event.shiftKey); break;
    case "End": board.go(far ? board.rows.length - 1 : r, board.width - 1, event.shiftKey); break;
    case " ":
      if (event.shiftKey) board.select([r, 0], [r, board.width - 1]);
      else toggle(board, cell);
      break;
    case "a":
      if (!far) return;
      board.select([0, 0], [board.rows.length - 1, board.width - 1]);
      break;
    case "Escape": board.selected.clear(); board.mark(); break;
    case "Delete": board.use(GONE); board.cellAt(...board.at).focus(); break;
    default: return;
  }
  event.preventDefault();
});

function toggle(board, cell) {
  if (!board.selected.delete(cell.dataset.at)) board.selected.add(cell.dataset.at);
  board.mark();
}

document.addEventListener("click", (event) => {
  const tool = event.target.closest("[data-tool]");
  if (tool) {
    along(tool.closest("[data-tools]"), [...tool.parentElement.children].indexOf(tool));
    boardOf(tool).use(tool.dataset.tool);
    return;
  }
  const head = event.target.closest("[data-board] [data-head]");
  if (head) {
    const board = boardOf(head);
    const row = Number(head.dataset.head);
    board.at = board.anchor = [row, 0];
    board.select([row, 0], [row, board.width - 1], event.shiftKey || event.ctrlKey || event.metaKey);
    return;
  }
  const cell = event.target.closest("[data-board] [data-at]");
  if (!cell) return;
  const board = boardOf(cell);
  board.at = cell.dataset.at.split(" ").map(Number);
  if (event.shiftKey) board.select(board.anchor, board.at);
  else {
    board.anchor = board.at;
    if (event.ctrlKey || event.metaKey) toggle(board, cell);
    else board.select(board.at, board.at);
  }
  cell.focus();
});

document.addEventListener("input", (event) => {
  const board = event.target.matches("[data-rows], [data-hall-section] [name^='back-'], [data-hall-section] [name^='name-']") && boardOf(event.target);
  if (board) board.draw();
});

enhance();
document.addEventListener("htmx:afterSettle", enhance);
