'use strict';
// What the five services have in common: an HTTP server on loopback that ends
// gracefully. On SIGTERM it stops accepting, finishes the requests in flight,
// closes idle connections and exits with 0.

const http = require('node:http');
const knobs = require('./knobs');
const { Trouble } = require('./trouble');

const SLOW_MAX = 120000;

// serve starts a service. work(query) answers GET /work; tick() is its own work,
// once a second unless it was told to be still; upgrade(req, socket) takes over a
// connection; close() is told when the service drains.
function serve({ name, port, work, tick, routes = {}, upgrade, close = () => {} }) {
  let settings;
  try {
    settings = knobs.parse(process.env);
    port = Number(process.env.PORT || port);
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Error(`PORT ${JSON.stringify(process.env.PORT)}: want 1 to 65535`);
  } catch (err) {
    console.error(`${name}: ${err.message}`);
    process.exit(64);
  }
  const trouble = new Trouble(settings);
  let inFlight = 0;
  let draining = false;
  const began = Date.now();

  const answer = (res, code, body) => {
    const text = JSON.stringify(body);
    res.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    res.end(text);
  };

  async function route(req, url) {
    switch (`${req.method} ${url.pathname}`) {
      case 'GET /healthz':
        return { ok: true, name, uptime: (Date.now() - began) / 1000 };
      case 'GET /work':
        return work(url.searchParams);
      case 'GET /slow': {
        const ms = Math.min(Number(url.searchParams.get('ms')) || 0, SLOW_MAX);
        await new Promise((done) => { setTimeout(done, ms); });
        return { slept: ms };
      }
      case 'POST /trouble':
        if (!settings.trouble) return undefined;
        trouble.change(url.searchParams);
        return { leak: settings.leak };
      default: {
        const handler = routes[`${req.method} ${url.pathname}`];
        return handler && handler(url.searchParams);
      }
    }
  }

  const server = http.createServer((req, res) => {
    inFlight += 1;
    res.on('close', () => { inFlight -= 1; });
    if (draining) res.setHeader('Connection', 'close');
    req.resume();
    trouble.onRequest();
    Promise.resolve()
      .then(() => route(req, new URL(req.url, 'http://localhost')))
      .then((body) => (body === undefined ? answer(res, 404, { error: 'not found' }) : answer(res, 200, body)))
      .catch((err) => answer(res, 400, { error: err.message }));
  });
  if (upgrade) server.on('upgrade', upgrade);

  process.on('SIGTERM', () => {
    if (draining) return;
    draining = true;
    const draining_ = inFlight;
    console.log(`SIGTERM received, draining ${draining_} in-flight`);
    close();
    server.close(() => {
      console.log(`drained ${draining_} in-flight`);
      process.exit(0);
    });
    server.closeIdleConnections();
  });

  if (tick && !settings.still) setInterval(tick, 1000).unref();
  server.on('error', (err) => {
    console.error(`${name}: ${err.message}`);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1', () => console.log(`${name} listening on 127.0.0.1:${port}, pid ${process.pid}`));
}

module.exports = { serve };
