'use strict';
// Warms a cache of catalogue entries in the background, and serves from it.

const { serve } = require('./lib/serve');

// Lru keeps the entries used last, at most max of them. A Map keeps the order in
// which keys were set, so the first key is the one unused for longest.
class Lru {
  constructor(max) {
    this.max = max;
    this.map = new Map();
  }

  get(key) {
    const value = this.map.get(key);
    if (value === undefined) return undefined;
    this.map.delete(key);
    this.map.set(key, value);
    return value;
  }

  set(key, value) {
    this.map.delete(key);
    this.map.set(key, value);
    if (this.map.size > this.max) this.map.delete(this.map.keys().next().value);
  }
}

const CATALOGUE = 20000;
const cache = new Lru(2000);

function fetchEntry(id) {
  return { id, name: `item ${id}`, aisle: id % 40, price: ((id * 7919) % 5000) / 100, tags: [`t${id % 7}`, `t${id % 11}`] };
}

function entry(id) {
  let hit = cache.get(id);
  const cached = hit !== undefined;
  if (!cached) {
    hit = fetchEntry(id);
    cache.set(id, hit);
  }
  return { cached, entry: hit };
}

let next = 0;
serve({
  name: 'cache-warmer',
  port: 8081,
  tick() {
    for (let i = 0; i < 50; i += 1) entry((next += 1) % CATALOGUE);
  },
  work: (q) => ({ ...entry(Math.abs(Number(q.get('id')) || 0) % CATALOGUE), size: cache.map.size }),
});
