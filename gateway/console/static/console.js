// What every page needs of scripts: very little. Pages work without it.

// On wide screens the navigation is always open; on narrow ones it folds.
const wide = window.matchMedia("(min-width: 55.01rem)");
const fold = () => document.querySelectorAll("[data-fold]").forEach((part) => { part.open = wide.matches; });
wide.addEventListener("change", fold);
fold();

// What was refused is read out and seen first.
document.querySelector("[data-focus]")?.focus();

// A form that was sent is not sent twice by a second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.method === "post") { form.dataset.sent = "yes"; setTimeout(() => { delete form.dataset.sent; }, 5000); }
});

// Filters apply when changed, without a button being looked for; the button stays for keyboards.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-apply]");
  if (form) form.requestSubmit();
});

// Charts and maps come only with the pages that have them.
if (document.querySelector("[data-chart]")) import("./chart.js");
if (document.querySelector("[data-map]")) import("./map.js");
