'use strict';
// Misbehaves as lib/knobs.js was told.

const fs = require('node:fs/promises');
const { setTimeout: pause } = require('node:timers/promises');
const { buffers, rows, collect, ROW } = require('./resident');

const TICK = 100; // ms between two portions of a leak
const LATE = 1000; // ms: what a tick that comes later than this owes is forgiven

class Trouble {
  constructor(knobs) {
    this.leakMax = Infinity;
    this.leaked = 0;
    this.kept = [];
    this.apply(knobs);
    if (knobs.cacheRead) this.readOverAndOver(knobs.cacheRead);
  }

  // apply changes what knobs names and leaves the rest as it is; null ends one.
  apply(knobs) {
    if (knobs.leakMax !== undefined) this.leakMax = knobs.leakMax;
    if (knobs.leak !== undefined) this.startLeak(knobs.leak);
    if (knobs.burst !== undefined) this.startBursts(knobs.burst);
    if (knobs.hold !== undefined) this.hold(knobs.hold);
    if ([knobs.hold, knobs.leak, knobs.burst].includes(null)) collect();
  }

  hold(bytes) {
    if (this.held) {
      this.held = null;
      collect(); // before the next is made, so that both are never there at once
    }
    if (bytes !== null) this.held = buffers(bytes);
  }

  startLeak(leak) {
    clearInterval(this.leaking);
    this.leak = leak;
    if (leak === null) {
      this.kept = [];
      this.leaked = 0;
    }
    if (leak === null || leak.kind === 'request') return;
    let last = performance.now();
    let owed = 0;
    this.leaking = setInterval(() => {
      const now = performance.now();
      owed += (leak.bytes * Math.min(now - last, LATE)) / 1000;
      last = now;
      const whole = Math.floor(owed / ROW) * ROW;
      owed -= whole;
      this.keep(whole);
    }, TICK).unref();
  }

  keep(bytes) {
    const room = Math.min(bytes, this.leakMax - this.leaked);
    if (room <= 0) return;
    this.leaked += room;
    this.kept.push(this.leak.kind === 'buffer' ? buffers(room) : rows(room));
  }

  startBursts(burst) {
    clearInterval(this.bursts);
    clearTimeout(this.burstEnd);
    this.burst = null;
    if (burst === null) return;
    const end = () => {
      this.burst = null;
      collect();
    };
    this.bursts = setInterval(() => {
      this.burst = buffers(burst.bytes);
      this.burstEnd = setTimeout(end, burst.hold * 1000).unref();
    }, burst.every * 1000).unref();
  }

  async readOverAndOver(path) {
    const into = Buffer.allocUnsafe(1024 * 1024);
    for (;;) {
      try {
        const file = await fs.open(path);
        try {
          while ((await file.read(into, 0, into.length, null)).bytesRead > 0);
        } finally {
          await file.close();
        }
      } catch (err) {
        console.error(`CACHE_READ: ${err.message}`);
      }
      await pause(1000, undefined, { ref: false });
    }
  }

  // onRequest is called with each request.
  onRequest() {
    if (this.leak && this.leak.kind === 'request') this.keep(this.leak.bytes);
  }

  // state says what is wrong at the moment, in bytes.
  state() {
    return { leak: this.leak || null, leaked: this.leaked, leakMax: Number.isFinite(this.leakMax) ? this.leakMax : null };
  }
}

module.exports = { Trouble };
