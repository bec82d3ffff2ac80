'use strict';
// Takes product payloads apart, prices them and puts them together again.

const { serve } = require('./lib/serve');

function payload(n) {
  const products = [];
  for (let i = 0; i < n; i += 1) {
    products.push({ sku: `W${100000 + i}`, cost: ((i * 104729) % 9000) / 100, stock: i % 50, offers: [{ min: 2, off: 0.05 }, { min: 10, off: 0.12 }] });
  }
  return JSON.stringify({ store: 42, products });
}

function price(text) {
  const { store, products } = JSON.parse(text);
  const priced = products.map((p) => ({
    ...p,
    price: Math.round(p.cost * 1.23 * 100) / 100,
    offers: p.offers.map((o) => ({ ...o, price: Math.round(p.cost * 1.23 * (1 - o.off) * 100) / 100 })),
  }));
  return { store, products: priced };
}

let runs = 0;
const feed = payload(200);
serve({
  name: 'pricing',
  port: 8082,
  tick() {
    price(feed);
    runs += 1;
  },
  work: (q) => {
    const priced = price(payload(Math.min(Number(q.get('n')) || 50, 2000)));
    return { runs, count: priced.products.length, first: priced.products[0] };
  },
});
