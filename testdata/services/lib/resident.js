'use strict';
// Memory that is really there: every page written, with random bytes, so that
// neither a shared zero page nor compressed swap makes it smaller than it claims.

const crypto = require('node:crypto');

const CHUNK = 256 * 1024;
const ROW = 1024;

let pool = null; // random bytes to copy from: making them anew would cost 20 times the CPU

// buffers returns that many bytes outside V8's heap, in chunks.
function buffers(bytes) {
  pool = pool || crypto.randomBytes(4 * CHUNK);
  const chunks = [];
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = Buffer.allocUnsafeSlow(Math.min(left, CHUNK));
    const from = crypto.randomInt(pool.length - chunk.length);
    pool.copy(chunk, 0, from, from + chunk.length);
    chunks.push(chunk);
  }
  return chunks;
}

// rows returns about that many bytes of small objects on V8's heap, a KiB each.
function rows(bytes) {
  const made = [];
  for (let n = 0; n < bytes; n += ROW) {
    const samples = new Array(120).fill(0.5); // doubles, unboxed: 960 bytes
    for (let i = 0; i < samples.length; i += 1) samples[i] = Math.random();
    made.push({ id: n, samples });
  }
  return made;
}

module.exports = { buffers, rows, ROW };
