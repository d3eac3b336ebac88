// The field matrix by keyboard: arrows move from cell to cell, space or Enter chooses. What is not saved is told.
// Underneath are plain radio buttons, so that the page works without this.

const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

class FieldMatrix extends HTMLElement {
  connectedCallback() {
    this.rows = [...this.querySelectorAll("tr")].filter((row) => row.querySelector("input[type=radio]"));
    this.kept = new Map(this.rows.map((row) => [row, this.state(row)]));
    this.addEventListener("keydown", (event) => this.move(event));
    this.addEventListener("change", () => { this.free(); this.tell(); });
    this.free();
    this.closest("form").addEventListener("submit", () => { this.sent = true; });
    addEventListener("beforeunload", (event) => { if (!this.sent && this.unsaved().length) event.preventDefault(); });
    this.tell();
  }

  // Which cell of its row a radio button is in, counted over all ways to release.
  column(radio) { return radio.closest("td").cellIndex; }

  state(row) { return [...row.querySelectorAll("input, select")].map((one) => (one.type === "radio" ? one.checked : one.value)).join("|"); }

  // What belongs to a choice that is not made is not sent, and cannot keep the form from being sent.
  free() {
    for (const row of this.rows) {
      for (const cell of row.querySelectorAll("td.can")) {
        const made = cell.querySelector("input[type=radio]").checked;
        for (const one of cell.querySelectorAll(".param select, .param input")) {
          one.disabled = !made || (one.classList.contains("years") && cell.querySelector("select").value !== "age_band");
        }
      }
    }
  }

  unsaved() { return this.rows.filter((row) => this.state(row) !== this.kept.get(row)); }

  move(event) {
    const radio = event.target;
    if (radio.type !== "radio" || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") { event.preventDefault(); radio.click(); return; }
    if (!(event.key in step)) return;
    event.preventDefault();
    const [down, right] = step[event.key];
    const at = this.rows.indexOf(radio.closest("tr"));
    const to = right ? this.beside(radio, right) : this.below(at, down, this.column(radio));
    if (to) { to.focus(); to.closest("td").scrollIntoView({ block: "nearest", inline: "nearest" }); }
  }

  beside(radio, right) {
    const cells = [...radio.closest("tr").querySelectorAll("input[type=radio]:not(:disabled)")];
    return cells[cells.indexOf(radio) + right];
  }

  // The cell above or below; where there is none, the nearest one of that row.
  below(at, down, column) {
    const row = this.rows[at + down];
    const cells = row ? [...row.querySelectorAll("input[type=radio]:not(:disabled)")] : [];
    return cells.sort((one, other) => Math.abs(this.column(one) - column) - Math.abs(this.column(other) - column))[0];
  }

  tell() {
    const unsaved = this.unsaved();
    for (const row of this.rows) row.classList.toggle("unsaved", unsaved.includes(row));
    const words = document.querySelector("#unsaved-words")?.dataset;
    const told = document.querySelector("[data-unsaved]");
    if (told && words) told.textContent = unsaved.length ? words.some + unsaved.length : words.none;
  }
}

customElements.define("field-matrix", FieldMatrix);
