// The booking box asks the server what is chosen costs: no price is worked out here.
function keepWithin(form) {
  const chosen = form.querySelector('[name="offer_id"][data-most]:checked, [name="offer_id"][type="hidden"][data-most]');
  const quantity = chosen && form.elements.namedItem("quantity");
  if (!quantity) return;
  quantity.max = chosen.dataset.most;
  if (Number(quantity.value) > Number(quantity.max)) quantity.value = quantity.max;
}

// Seats stand outside of the form they belong to, so the form is told.
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-book]") ?? event.target.form;
  if (!form?.matches("[data-book]")) return;
  keepWithin(form);
  form.dispatchEvent(new Event("chosen"));
});

// A browser that comes back may have kept what was typed.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-book]")) {
    keepWithin(form);
    const kept = [...form.elements].some((field) => field.checked !== field.defaultChecked || (field.type === "number" && field.value !== field.defaultValue));
    if (kept) form.dispatchEvent(new Event("chosen"));
  }
});
