// The region picker: what is looked for appears below without leaving the page. Without this, the button asks
// for the whole page again, with everything that was typed.

class RegionPicker extends HTMLElement {
  connectedCallback() {
    this.field = this.querySelector("input[type=search]");
    this.button = this.querySelector("button[name=find_regions]");
    this.found = this.querySelector("#found-regions");
    this.button.addEventListener("click", (event) => { event.preventDefault(); this.look(); });
    this.field.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.look(); } });
    this.addEventListener("change", (event) => { if (event.target.name === "regions") this.pick(event.target); });
  }

  // The page itself is asked, as the button would, and its list taken from the answer.
  async look() {
    const form = this.closest("form");
    const said = new URLSearchParams(new FormData(form));
    said.set("find_regions", "yes");
    this.button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: said });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      this.found.replaceChildren(...(page.querySelector("#found-regions")?.childNodes ?? []));
    } finally { this.button.disabled = false; }
  }

  // What was picked joins the list above, so that the next search does not lose it.
  pick(box) {
    if (!box.checked || !box.closest("#found-regions")) return;
    this.querySelector(".picked").append(box.closest("li"));
    const only = this.closest("fieldset").querySelector("input[name=where][value=regions]");
    only.checked = true;
    this.field.focus();
  }
}

customElements.define("region-picker", RegionPicker);
