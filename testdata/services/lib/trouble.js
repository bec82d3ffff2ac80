'use strict';
// Misbehaves as lib/knobs.js was told.

const fs = require('node:fs');
const { leak: parseLeak, size } = require('./knobs');

const CHUNK = 256 * 1024;
const TICK = 100; // ms between two portions of a leak

// resident returns that many bytes outside V8's heap, every page of them touched.
function resident(bytes) {
  const chunks = [];
  for (let left = bytes; left > 0; left -= CHUNK) {
    chunks.push(Buffer.alloc(Math.min(left, CHUNK), 1 + Math.floor(Math.random() * 255)));
  }
  return chunks;
}

// onHeap returns about that many bytes of small objects on V8's heap.
function onHeap(bytes) {
  const rows = [];
  for (let made = 0; made < bytes; made += 1024) {
    rows.push({ id: made, words: new Array(120).fill(made + 0.5) });
  }
  return rows;
}

class Trouble {
  constructor(settings) {
    this.settings = settings;
    this.leaked = 0;
    this.kept = [];
    this.timers = [];
    if (settings.hold) this.held = resident(settings.hold);
    if (settings.leak) this.startLeak();
    if (settings.burst) this.startBursts();
    if (settings.cacheRead) this.every(2000, () => this.readFile());
  }

  every(ms, f) {
    const timer = setInterval(f, ms);
    timer.unref();
    this.timers.push(timer);
    return timer;
  }

  keep(bytes) {
    const room = Math.min(bytes, this.settings.leakMax - this.leaked);
    if (room <= 0) return;
    this.leaked += room;
    this.kept.push(this.settings.leak.kind === 'heap' ? onHeap(room) : resident(room));
  }

  startLeak() {
    clearInterval(this.leaking);
    if (this.settings.leak.kind === 'request') return;
    this.leaking = this.every(TICK, () => this.keep((this.settings.leak.bytes * TICK) / 1000));
  }

  startBursts() {
    const { bytes, every, hold } = this.settings.burst;
    this.every(every * 1000, () => {
      this.bursting = resident(bytes);
      setTimeout(() => { this.bursting = null; }, hold * 1000).unref();
    });
  }

  readFile() {
    fs.createReadStream(this.settings.cacheRead).on('data', () => {}).on('error', (err) => {
      console.error(`CACHE_READ: ${err.message}`);
    });
  }

  // onRequest is called with each request.
  onRequest() {
    if (this.settings.leak && this.settings.leak.kind === 'request') this.keep(this.settings.leak.bytes);
  }

  // change takes new settings from a query.
  change(query) {
    if (query.has('leak_max')) this.settings.leakMax = size(query.get('leak_max'));
    if (query.has('leak')) {
      this.settings.leak = parseLeak(query.get('leak'));
      this.startLeak();
    }
  }
}

module.exports = { Trouble };
