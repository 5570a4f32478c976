// The instances of the frame as a table; rows and masks light each other up.

import { codeName } from "./codes.js";
import { h } from "./dom.js";
import { ALARM, CONFUSED, FOUND, MISSED, isError } from "./matching.js";

const SIGNS = { [FOUND]: "✓", [MISSED]: "○", [ALARM]: "✕", [CONFUSED]: "≠" };

const COLUMNS = {
  verdict: { text: "", by: (row) => (isError(row.verdict) ? 0 : row.verdict === FOUND ? 1 : 2), cell: (row) => `${SIGNS[row.verdict] ?? "–"} ${row.verdict}` },
  truth: { text: "truth", by: (row) => row.truth ?? 99999, cell: (row, name) => (row.truth === null ? "–" : name(row.truth)) },
  prediction: { text: "prediction", by: (row) => row.prediction ?? 99999, cell: (row, name) => (row.prediction === null ? "–" : name(row.prediction)) },
  score: { text: "score", number: true, by: (row) => -(row.score ?? -1), cell: (row) => row.score?.toFixed(2) ?? "–" },
  iou: { text: "IoU", number: true, by: (row) => -row.iou, cell: (row) => (row.iou > 0 ? row.iou.toFixed(2) : "–") },
  area: { text: "area, px", number: true, by: (row) => -row.area, cell: (row) => row.area.toLocaleString("en") },
};

export class Table {
  /** act: { hover(row or null), pick(row) } */
  constructor(config, act) {
    this.config = config;
    this.act = act;
    this.sorted = "area";
    this.rows = [];
    this.body = h("tbody");
    this.head = h("tr");
    this.grid = h("table", { class: "wv-grid" }, h("caption", { class: "wv-sr" }, "Instances of this frame"), h("thead", {}, this.head), this.body);
    this.el = h("div", { class: "wv-table", tabindex: "-1" }, this.grid);
    this.body.addEventListener("pointerover", (event) => act.hover(this.rowOf(event)));
    this.body.addEventListener("pointerleave", () => act.hover(null));
    this.body.addEventListener("click", (event) => act.pick(this.rowOf(event)));
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  columns() {
    const { truth, prediction } = this.config;
    const names = truth && prediction ? ["verdict", "truth", "prediction"] : [truth ? "truth" : "prediction"];
    if (this.scored) names.push("score");
    if (truth && prediction) names.push("iou");
    return [...names, "area"];
  }

  /** Show rows (see matching.js); keeps the order that was chosen and the row that has the focus. */
  show(rows, scored) {
    this.scored = scored;
    const { by } = COLUMNS[this.sorted];
    this.rows = [...rows].sort((a, b) => by(a) - by(b) || b.area - a.area);
    const name = (code) => codeName(this.config, code);
    const names = this.columns();
    const focused = this.body.contains(document.activeElement) ? this.marked : null;
    this.head.replaceChildren(...names.map((column) => this.header(column)));
    this.body.replaceChildren(...this.rows.map((row, number) => h(
      "tr", { "data-row": number, tabindex: "-1", class: isError(row.verdict) ? "wv-error" : "", "data-lm-suppress-shortcuts": "true" },
      ...names.map((column) => h("td", { class: COLUMNS[column].number ? "wv-num" : "" }, COLUMNS[column].cell(row, name))),
    )));
    if (!this.rows.length) {
      this.body.append(h("tr", {}, h("td", { colspan: names.length, class: "wv-none" }, "No instances: none is labelled or predicted here, or all are hidden.")));
    }
    const first = this.body.querySelector("tr[data-row]");
    if (first) first.tabIndex = 0;
    this.mark(this.marked);
    if (focused) this.focusOn(focused);
  }

  header(column) {
    const { text, number } = COLUMNS[column];
    const sorted = this.sorted === column;
    const sort = () => {
      this.sorted = column;
      this.show(this.rows, this.scored);
      this.head.querySelector(`[data-column=${column}]`).focus();
    };
    const label = `sort by ${text || "verdict"}`;
    return h(
      "th", { scope: "col", class: number ? "wv-num" : "", "aria-sort": sorted ? "ascending" : "none" },
      h("button", { type: "button", class: "wv-sort", "data-column": column, title: label, "data-lm-suppress-shortcuts": "true", onclick: sort }, text || "verdict", sorted ? " ▾" : ""),
    );
  }

  /** Light up the rows of { source, code } pairs: the hovered one and the selected one. */
  mark(marked) {
    this.marked = marked ?? {};
    for (const tr of this.body.querySelectorAll("tr[data-row]")) {
      const row = this.rows[Number(tr.dataset.row)];
      const is = (one) => one != null && row[one.source] === one.code;
      tr.classList.toggle("wv-hovered", is(this.marked.hover));
      const selected = is(this.marked.selected);
      tr.classList.toggle("wv-selected", selected);
      if (selected) tr.setAttribute("aria-current", "true");
      else tr.removeAttribute("aria-current");
    }
  }

  /** Bring the selected row into sight, within the table only: the page must not jump. */
  reveal() {
    const tr = this.body.querySelector(".wv-selected");
    if (!tr) return;
    const top = tr.offsetTop - this.head.offsetHeight;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    else if (tr.offsetTop + tr.offsetHeight > this.el.scrollTop + this.el.clientHeight) {
      this.el.scrollTop = tr.offsetTop + tr.offsetHeight - this.el.clientHeight;
    }
  }

  rowOf(event) {
    const tr = event.target.closest("tr[data-row]");
    return tr ? this.rows[Number(tr.dataset.row)] : null;
  }

  focusOn({ selected }) {
    const number = this.rows.findIndex((row) => selected && row[selected.source] === selected.code);
    this.body.querySelector(`tr[data-row="${Math.max(0, number)}"]`)?.focus({ preventScroll: true });
  }

  key(event) {
    const tr = event.target.closest("tr[data-row]");
    const to = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!tr || event.ctrlKey || event.altKey || event.metaKey) return;
    if (to !== undefined) {
      const next = this.body.querySelector(`tr[data-row="${Number(tr.dataset.row) + to}"]`);
      next?.focus({ preventScroll: true });
      if (next) this.act.pick(this.rows[Number(next.dataset.row)]);
      this.reveal();
    } else if (event.key === "Enter") this.act.pick(this.rows[Number(tr.dataset.row)]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
