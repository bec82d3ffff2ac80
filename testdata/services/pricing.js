'use strict';
// Takes product payloads apart, prices them and puts them together again.
//
//   POST /price          {store, products: [{sku, cost, offers: [{min, off}]}]}, priced
//   GET /work?n=50       the same with a payload of its own making

const { serve, number, Refusal } = require('./lib/serve');

const PRODUCTS_MAX = 2000;
const MARGIN = 1.23;

const cents = (amount) => Math.round(amount * 100) / 100;
const isCost = (n) => Number.isFinite(n) && n >= 0;
const isOffer = (offer) => offer instanceof Object && offer.off >= 0 && offer.off <= 1;

// payload is what the supplier's API sends for n products.
function payload(n) {
  const products = [];
  for (let i = 0; i < n; i += 1) {
    products.push({ sku: `W${100000 + i}`, cost: ((i * 104729) % 9000) / 100, stock: i % 50, offers: [{ min: 2, off: 0.05 }, { min: 10, off: 0.12 }] });
  }
  return JSON.stringify({ store: 42, products });
}

function priced(product, i) {
  const { cost, offers = [] } = product;
  if (!isCost(cost)) throw new Refusal(400, `products[${i}].cost: want a number from 0`);
  if (!Array.isArray(offers) || !offers.every(isOffer)) throw new Refusal(400, `products[${i}].offers: want an array of {min, off}, off from 0 to 1`);
  return {
    ...product,
    price: cents(cost * MARGIN),
    offers: offers.map((offer) => ({ ...offer, price: cents(cost * MARGIN * (1 - offer.off)) })),
  };
}

function price(text) {
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch (err) {
    throw new Refusal(400, err.message);
  }
  const { store, products } = parsed ?? {};
  if (!Array.isArray(products) || products.length > PRODUCTS_MAX || !products.every((p) => p instanceof Object)) {
    throw new Refusal(400, `products: want an array of up to ${PRODUCTS_MAX} objects`);
  }
  return { store, products: products.map(priced) };
}

let runs = 0;
const feed = payload(100);

serve({
  name: 'pricing',
  port: 8082,
  tick() {
    price(feed);
    runs += 1;
  },
  work: (query) => {
    const { products } = price(payload(number(query, 'n', 50, 1, PRODUCTS_MAX)));
    return { runs, count: products.length, first: products[0] };
  },
  routes: { 'POST /price': (_, body) => price(body) },
});
