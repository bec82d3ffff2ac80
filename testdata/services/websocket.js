'use strict';
// The WebSocket gateway: what one client says on /ws, all hear, itself included. A
// client that does not read is let go rather than buffered for.
//
//   GET /ws        the handshake; text messages of up to 16 KiB
//   GET /clients   {clients, sent, slow}

const { serve } = require('./lib/serve');
const { accept, refuse } = require('./lib/websocket');
const { OP, CODE, frame } = require('./lib/frames');

// Of each there are at most 32 KiB on the way in (a message, and a frame of it) and 64
// on the way out (48 unread, and a message). With 500 that makes 48 MB, outside V8's
// heap; the unit's limits leave room for them.
const CLIENTS = 500;
const clients = new Set();
const count = { sent: 0, slow: 0 };

function broadcast(payload) {
  const bytes = frame(OP.text, payload);
  for (const client of clients) {
    if (client.slow) {
      count.slow += 1;
      clients.delete(client);
      client.close(CODE.policy);
    } else {
      client.send(bytes);
    }
  }
  count.sent += 1;
}

function announce(type) {
  broadcast(Buffer.from(JSON.stringify({ type, at: Date.now(), clients: clients.size })));
}

serve({
  name: 'websocket',
  port: 8085,
  tick: () => announce('tick'),
  work: () => {
    announce('work');
    return { clients: clients.size, sent: count.sent };
  },
  routes: { 'GET /clients': () => ({ clients: clients.size, ...count }) },
  upgrade(req, socket, head) {
    if (req.url !== '/ws') {
      refuse(socket, '404 Not Found');
      return;
    }
    if (clients.size >= CLIENTS) {
      refuse(socket, '503 Service Unavailable');
      return;
    }
    const client = accept(req, socket, head, { onText: broadcast, onClose: (gone) => clients.delete(gone) });
    if (client) clients.add(client);
  },
  close() {
    for (const client of clients) client.close(CODE.goingAway);
  },
});
