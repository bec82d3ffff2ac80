'use strict';
// Memory that is really there: every page written, with random bytes, so that
// neither a shared zero page nor compressed swap makes it smaller than it claims.

const crypto = require('node:crypto');
const v8 = require('node:v8');
const vm = require('node:vm');

const STEP = 256 * 1024;
const LUMP = 1024 ** 3; // Node makes no Buffer of any size
const ROW = 1024;

let pool = null; // random bytes to copy from: making them anew would cost 20 times the CPU

// buffers returns that many bytes outside V8's heap, in one piece where that can be:
// a large piece is a mapping of its own, and is the kernel's again when it is freed,
// while the allocator keeps small ones.
function buffers(bytes) {
  pool = pool || crypto.randomBytes(4 * STEP);
  const lumps = [];
  for (let left = bytes; left > 0; left -= LUMP) {
    const lump = Buffer.allocUnsafeSlow(Math.min(left, LUMP));
    for (let at = 0; at < lump.length; at += STEP) {
      const from = crypto.randomInt(pool.length - STEP);
      pool.copy(lump, at, from, from + STEP);
    }
    lumps.push(lump);
  }
  return lumps;
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

// collect frees what nobody holds any more. V8 alone would do so when it next needs
// room, which a service that sits still never does.
function collect() {
  v8.setFlagsFromString('--expose-gc'); // takes effect in contexts made from now on
  vm.runInNewContext('gc')();
}

module.exports = { buffers, rows, collect, ROW };
