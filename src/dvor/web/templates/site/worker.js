// Shows our own page where the browser has no network. Everything else goes its usual way.
const KEPT = "offline {{ asset('app.css') }} {{ language() }}";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(["/offline", "{{ asset('app.css') }}"])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate" && request.method === "GET") {
    event.respondWith(fetch(request).catch(async () => (await caches.match("/offline")) ?? Response.error()));
  } else if (request.destination === "style" && !navigator.onLine) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});
