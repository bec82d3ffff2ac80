'use strict';
// Warms a cache of catalogue entries in the background, and serves from it.
//
//   GET /entries?id=7    an entry, from the cache or fetched into it
//   GET /cache           {size, hits, misses}

const { serve, number } = require('./lib/serve');

const CATALOGUE = 20000; // entries that exist
const CACHED = 2000; // that are kept: some 2 MB
const WARMED = 50; // that a tick looks at

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

const cache = new Lru(CACHED);
const count = { hits: 0, misses: 0 };

// fetchEntry stands where the catalogue is asked: the same id, the same entry.
function fetchEntry(id) {
  return {
    id,
    name: `item ${id}`,
    aisle: id % 40,
    price: ((id * 7919) % 5000) / 100,
    tags: [`t${id % 7}`, `t${id % 11}`],
    description: `A catalogue entry for item ${id}, of aisle ${id % 40}. `.repeat(8),
  };
}

function entry(id) {
  const hit = cache.get(id);
  if (hit !== undefined) {
    count.hits += 1;
    return { cached: true, entry: hit };
  }
  count.misses += 1;
  const fetched = fetchEntry(id);
  cache.set(id, fetched);
  return { cached: false, entry: fetched };
}

const lookUp = (query) => entry(number(query, 'id', 0, 0, CATALOGUE - 1));

// What sells is what is asked for: the warmer looks at ids in order, one in four
// from the popular tenth again.
let next = 0;
function warm() {
  for (let i = 0; i < WARMED; i += 1) {
    next = (next + 1) % CATALOGUE;
    entry(i % 4 === 0 ? next % (CACHED / 10) : next);
  }
}

serve({
  name: 'cache-warmer',
  port: 8081,
  tick: warm,
  work: lookUp,
  routes: {
    'GET /entries': lookUp,
    'GET /cache': () => ({ size: cache.map.size, ...count }),
  },
});
