'use strict';
// The HTTP API: lists, items and a search, in memory, bounded.

const { serve } = require('./lib/serve');

const LISTS = 200;
const ITEMS = 100;
const lists = new Map();

function list(id) {
  let items = lists.get(id);
  if (!items) {
    items = [];
    lists.set(id, items);
    if (lists.size > LISTS) lists.delete(lists.keys().next().value);
  }
  return items;
}

function add(id, name) {
  const items = list(id);
  items.push({ name, at: Date.now() });
  if (items.length > ITEMS) items.shift();
  return items.length;
}

function search(word) {
  const found = [];
  for (const [id, items] of lists) {
    for (const item of items) {
      if (item.name.includes(word)) found.push({ list: id, name: item.name });
      if (found.length === 20) return found;
    }
  }
  return found;
}

let n = 0;
serve({
  name: 'api-server',
  port: 8084,
  tick() {
    n += 1;
    add(n % LISTS, `item ${n}`);
    search(String(n % 97));
  },
  work: () => {
    n += 1;
    return { size: add(n % LISTS, `item ${n}`), found: search(String(n % 97)).length };
  },
  routes: {
    'GET /lists': () => ({ lists: lists.size }),
    'GET /items': (q) => ({ items: list(Number(q.get('list')) || 0).slice(-10) }),
    'POST /items': (q) => ({ size: add(Number(q.get('list')) || 0, String(q.get('name') || 'unnamed').slice(0, 200)) }),
    'GET /search': (q) => ({ found: search(String(q.get('q') || '').slice(0, 100)) }),
  },
});
