'use strict';
// What the five services have in common: an HTTP server on loopback with a health
// check, and a graceful end on SIGTERM.
//
//   GET /healthz         {ok, name, uptime}
//   GET /work            a request of the kind that the service is there for
//   GET /slow?ms=5000    answers after that time, at most two minutes
//   POST /trouble        see knobs.js; 404 unless TROUBLE=1
//
// PORT= says where; 0 takes a free port. "listening on" in the log names it.

const http = require('node:http');
const { setTimeout: pause } = require('node:timers/promises');
const knobs = require('./knobs');
const { Drain } = require('./drain');
const { Trouble } = require('./trouble');

const SLOW_MAX = 120000;
const BODY_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 2000;
const EX_USAGE = 64;

// Refusal is an answer that is not 200: throw it from a handler.
class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

// number reads a whole number from a query, between min and max.
function number(query, key, fallback, min, max) {
  const text = query.get(key) ?? String(fallback);
  const n = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(n >= min && n <= max)) throw new Refusal(400, `${key}: want a whole number from ${min} to ${max}`);
  return n;
}

function readBody(req) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let length = 0;
    req.on('data', (chunk) => {
      length += chunk.length;
      if (length <= BODY_MAX) chunks.push(chunk);
      else reject(new Refusal(413, `body: want at most ${BODY_MAX} bytes`, { Connection: 'close' }));
    });
    req.on('end', () => resolve(Buffer.concat(chunks).toString()));
    req.on('error', reject);
  });
}

function settings(port) {
  const wanted = process.env.PORT || String(port);
  if (!/^\d{1,5}$/.test(wanted) || Number(wanted) > 65535) throw new knobs.BadKnob(`PORT=${wanted}: want 0 to 65535`);
  return { port: Number(wanted), ...knobs.fromEnv(process.env) };
}

// serve starts a service. work(query) answers GET /work; routes maps "GET /path" to
// handlers (query, body) of which the returned value, or what it resolves to, is sent
// as JSON; tick() is the service's own work, once a second unless it was told to be
// still; upgrade(req, socket, head) takes over a connection; close() is told when the
// end begins, to close what it took over.
function serve({ name, port, work, tick, routes = {}, upgrade, close = () => {} }) {
  let set;
  try {
    set = settings(port);
  } catch (err) {
    if (!(err instanceof knobs.BadKnob)) throw err;
    console.error(`${name}: ${err.message}`);
    process.exit(EX_USAGE);
  }
  const trouble = new Trouble(set);
  const all = {
    'GET /healthz': () => ({ ok: true, name, uptime: process.uptime() }),
    'GET /work': work,
    'GET /slow': async (query) => {
      const ms = number(query, 'ms', 1000, 0, SLOW_MAX);
      await pause(ms);
      return { slept: ms };
    },
    ...routes,
  };
  if (set.trouble) {
    all['POST /trouble'] = (query) => {
      trouble.apply(knobs.fromQuery(query));
      return trouble.state();
    };
  }

  const server = http.createServer();
  server.maxConnections = CONNECTIONS_MAX;
  const drain = new Drain(server);

  const answer = (res, status, body, headers) => {
    const text = JSON.stringify(body);
    if (drain.begun) res.setHeader('Connection', 'close'); // also where the request came before
    res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), ...headers });
    res.end(text);
  };

  const handle = async (req) => {
    const [path] = req.url.split('?', 1);
    const route = `${req.method} ${path}`;
    if (!Object.hasOwn(all, route)) throw new Refusal(404, `no ${route}`);
    return all[route](new URLSearchParams(req.url.slice(path.length)), req.method === 'POST' ? await readBody(req) : '');
  };

  server.on('request', async (req, res) => {
    drain.request(req, res);
    trouble.onRequest();
    try {
      answer(res, 200, await handle(req));
    } catch (err) {
      if (err instanceof Refusal) answer(res, err.status, { error: err.message }, err.headers);
      else if (err instanceof knobs.BadKnob) answer(res, 400, { error: err.message });
      else if (!res.destroyed) {
        console.error(`${name}: ${req.method} ${req.url}: ${err.stack}`);
        answer(res, 500, { error: 'internal error' });
      }
    } finally {
      req.resume(); // a body that nobody wanted
    }
  });

  if (upgrade) {
    server.on('upgrade', (req, socket, head) => {
      drain.release(socket);
      socket.on('error', () => socket.destroy()); // Node has let go of it, its handler too
      if (drain.begun) socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n', () => socket.destroy());
      else upgrade(req, socket, head);
    });
  }

  const end = (signal) => {
    if (drain.begun) return;
    const n = drain.inFlight;
    drain.begin(() => {
      console.log(`drained ${n} in-flight`);
      process.exit(0);
    });
    console.log(`${signal} received, ${n} in-flight`); // from here on nobody gets in
    close();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);

  if (tick && !set.still) setInterval(tick, 1000).unref();
  server.on('error', (err) => {
    const fix = err.code === 'EADDRINUSE' ? '; PORT= takes another' : '';
    console.error(`${name}: ${err.message}${fix}`);
    process.exit(1);
  });
  server.listen(set.port, '127.0.0.1', () => {
    console.log(`${name}: listening on 127.0.0.1:${server.address().port}, pid ${process.pid}`);
  });
}

module.exports = { serve, number, Refusal };
