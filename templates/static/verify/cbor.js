// Reads CBOR (RFC 8949), as much of it as signed codes need: no indefinite lengths, no
// key twice, nothing deeper than sixteen levels, and nothing after the end.
const tooDeep = 16;

export class Tagged {
  constructor(tag, value) { this.tag = tag; this.value = value; }
}

export const decode = (bytes) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder('utf-8', { fatal: true });
  let at = 0;
  const take = (n) => {
    if (at + n > bytes.length) throw new Error('cut');
    at += n;
    return bytes.subarray(at - n, at);
  };
  const length = (info) => {
    if (info < 24) return info;
    const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[info];
    if (!size) throw new Error('indefinite');
    const start = at;
    take(size);
    if (size === 8) {
      const big = view.getBigUint64(start);
      if (big > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('large');
      return Number(big);
    }
    return { 1: () => view.getUint8(start), 2: () => view.getUint16(start), 4: () => view.getUint32(start) }[size]();
  };
  const simple = (info) => {
    if (info === 20 || info === 21) return info === 21;
    if (info === 22 || info === 23) return null;
    const size = { 26: 4, 27: 8 }[info];
    if (!size) throw new Error('unknown');
    const start = at;
    take(size);
    return size === 4 ? view.getFloat32(start) : view.getFloat64(start);
  };
  const map = (n, depth) => {
    const all = new Map();
    for (let i = 0; i < n; i += 1) {
      const key = value(depth + 1);
      if ((typeof key !== 'string' && typeof key !== 'number') || all.has(key)) throw new Error('key');
      all.set(key, value(depth + 1));
    }
    return all;
  };
  const value = (depth) => {
    if (depth > tooDeep) throw new Error('deep');
    const [head] = take(1);
    const info = head & 31;
    switch (head >> 5) {
      case 0: return length(info);
      case 1: return -1 - length(info);
      case 2: return take(length(info));
      case 3: return text.decode(take(length(info)));
      case 4: {
        const n = length(info);
        if (n > bytes.length) throw new Error('cut');
        return Array.from({ length: n }, () => value(depth + 1));
      }
      case 5: {
        const n = length(info);
        if (n > bytes.length) throw new Error('cut');
        return map(n, depth);
      }
      case 6: return new Tagged(length(info), value(depth + 1));
      default: return simple(info);
    }
  };
  const whole = value(0);
  if (at !== bytes.length) throw new Error('more');
  return whole;
};

const head = (major, n) => {
  if (n < 24) return [major << 5 | n];
  if (n < 256) return [major << 5 | 24, n];
  if (n < 65536) return [major << 5 | 25, n >> 8, n & 255];
  return [major << 5 | 26, n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
};
const joined = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));

// toBeSigned is what the signature of a COSE_Sign1 is over (RFC 9052, 4.4).
export const toBeSigned = (protectedHeader, payload) => {
  const context = new TextEncoder().encode('Signature1');
  return joined(head(4, 4), head(3, context.length), context, head(2, protectedHeader.length), protectedHeader, head(2, 0), head(2, payload.length), payload);
};
