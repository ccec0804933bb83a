// Keeps what the wallet's page is made of, so that cards can be looked at without a network.
const cacheName = `wallet ${edition}`;
self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(shell)).then(() => self.skipWaiting()));
});
self.addEventListener('activate', (event) => {
  event.waitUntil(caches.keys().then((all) => Promise.all(all.filter((name) => name.startsWith('wallet ') && name !== cacheName).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});
self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  const page = request.mode === 'navigate';
  if (!page && !shell.includes(url.pathname + url.search)) return;
  event.respondWith((async () => {
    const cache = await caches.open(cacheName);
    const kept = await cache.match(page ? '/wallet' : request);
    if (!page && kept) return kept;
    try {
      const answer = await fetch(request);
      // The page is kept in the language in which it was last read.
      if (page && answer.ok && url.pathname === '/wallet') await cache.put('/wallet', answer.clone());
      return answer;
    } catch (lost) {
      if (kept) return kept;
      throw lost;
    }
  })());
});
