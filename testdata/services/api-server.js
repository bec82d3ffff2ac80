'use strict';
// The HTTP API: shopping lists in memory, bounded, and a quote from the pricing
// service. Where that is away, a quote has no prices; the API itself answers.
//
//   GET /lists                    {lists}
//   GET /items?list=7             {items}
//   POST /items?list=7&name=milk  {size}
//   GET /search?q=milk            {found}
//   GET /quote?n=3                {priced, products}; PRICING=http://127.0.0.1:8082

const http = require('node:http');
const { serve, number, Refusal } = require('./lib/serve');

const LISTS = 200;
const ITEMS = 100;
const FOUND = 20;
const NAME_MAX = 200;
const QUOTE_MAX = 1024 * 1024;
const QUOTE_MS = 2000;
const PRICING = process.env.PRICING || 'http://127.0.0.1:8082';

const lists = new Map(); // id, below LISTS, to the ITEMS added last

function add(id, name) {
  const items = lists.get(id) ?? [];
  lists.set(id, items);
  items.push({ name, at: Date.now() });
  if (items.length > ITEMS) items.shift();
  return items.length;
}

function search(word) {
  const found = [];
  for (const [id, items] of lists) {
    for (const item of items) {
      if (item.name.includes(word)) found.push({ list: id, name: item.name });
      if (found.length === FOUND) return found;
    }
  }
  return found;
}

// post sends JSON and resolves to the text that comes back.
function post(url, body) {
  return new Promise((resolve, reject) => {
    const req = http.request(url, { method: 'POST', agent: false, signal: AbortSignal.timeout(QUOTE_MS) }, (res) => {
      const chunks = [];
      let length = 0;
      res.on('data', (chunk) => {
        length += chunk.length;
        if (length > QUOTE_MAX) req.destroy(new Error(`${url}: more than ${QUOTE_MAX} bytes`));
        else chunks.push(chunk);
      });
      res.on('error', reject);
      res.on('end', () => {
        if (res.statusCode === 200) resolve(Buffer.concat(chunks).toString());
        else reject(new Error(`${url}: ${res.statusCode}`));
      });
    });
    req.on('error', reject);
    req.end(JSON.stringify(body));
  });
}

async function quote(query) {
  const products = [];
  for (let i = number(query, 'n', 3, 1, 100); i > 0; i -= 1) products.push({ sku: `W${100000 + i}`, cost: i / 4 });
  try {
    const answer = await post(`${PRICING}/price`, { store: 42, products });
    return { priced: true, products: JSON.parse(answer).products };
  } catch (err) {
    console.error(`quote without prices: ${err.message}`);
    return { priced: false, products };
  }
}

const listId = (query) => number(query, 'list', 0, 0, LISTS - 1);

function addItem(query) {
  const name = query.get('name') || '';
  if (name === '' || name.length > NAME_MAX) throw new Refusal(400, `name: want 1 to ${NAME_MAX} characters`);
  return { size: add(listId(query), name) };
}

let n = 0;
function shop() {
  n += 1;
  return { size: add(n % LISTS, `item ${n}`), found: search(String(n % 97)).length };
}

serve({
  name: 'api-server',
  port: 8084,
  tick: shop,
  work: shop,
  routes: {
    'GET /lists': () => ({ lists: lists.size }),
    'GET /items': (query) => ({ items: lists.get(listId(query)) ?? [] }),
    'POST /items': addItem,
    'GET /search': (query) => ({ found: search((query.get('q') || '').slice(0, NAME_MAX)) }),
    'GET /quote': quote,
  },
});
