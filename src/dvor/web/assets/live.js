// News of an order as they happen: each event's name is the id of what it replaces.
function follow(element) {
  const source = new EventSource(element.dataset.live);
  const close = () => source.close();
  for (const part of element.querySelectorAll("[id]")) {
    source.addEventListener(part.id, (event) => {
      const place = document.getElementById(part.id);
      if (!place) return;
      place.innerHTML = event.data;
      place.classList.remove("is-fresh");
      requestAnimationFrame(() => place.classList.add("is-fresh"));
      window.htmx?.process(place);
    });
  }
  source.addEventListener("end", close);
  window.addEventListener("pagehide", close);
}

for (const element of document.querySelectorAll("[data-live]")) follow(element);
