// Keeps what the page for checking without a network is made of.
const cacheName = `verify ${edition}`;
self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(shell)).then(() => self.skipWaiting()));
});
self.addEventListener('activate', (event) => {
  const old = (name) => name.startsWith('verify ') && name !== cacheName;
  event.waitUntil(caches.keys().then((all) => Promise.all(all.filter(old).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  const page = request.mode === 'navigate' && url.pathname === '/verify/offline';
  if (!page && !shell.includes(url.pathname + url.search)) return;
  event.respondWith((async () => {
    const cache = await caches.open(cacheName);
    const kept = await cache.match(page ? '/verify/offline' : request);
    if (!page && kept) return kept;
    try {
      const answer = await fetch(request);
      // The page is kept in the language in which it was last read.
      if (page && answer.ok) await cache.put('/verify/offline', answer.clone());
      return answer;
    } catch (lost) {
      if (kept) return kept;
      throw lost;
    }
  })());
});
