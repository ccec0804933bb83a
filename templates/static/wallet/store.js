// What this browser keeps: keys, the sealed cards, and errands that wait for the browser to come back.
const opened = new Promise((resolve, reject) => {
  const asked = indexedDB.open('plinth-wallet', 1);
  asked.onupgradeneeded = () => { for (const name of ['keys', 'vault', 'flows']) asked.result.createObjectStore(name); };
  asked.onsuccess = () => resolve(asked.result);
  asked.onerror = () => reject(asked.error);
});
const within = async (store, mode, act) => {
  const db = await opened;
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, mode);
    const request = act(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
};
export const get = (store, name) => within(store, 'readonly', (s) => s.get(name));
export const put = (store, name, value) => within(store, 'readwrite', (s) => s.put(value, name));
export const remove = (store, name) => within(store, 'readwrite', (s) => s.delete(name));
export const clear = async () => { for (const name of ['keys', 'vault', 'flows']) await within(name, 'readwrite', (s) => s.clear()); };
