'use strict';
// The WebSocket gateway: what one client says, all hear. A client that does not
// read is let go rather than buffered for.

const { serve } = require('./lib/serve');
const { accept } = require('./lib/websocket');

const CLIENTS = 1000;
const clients = new Set();
let sent = 0;

function broadcast(text) {
  for (const client of clients) {
    if (client.slow) client.close(1008);
    else client.send(text);
  }
  sent += 1;
}

serve({
  name: 'websocket',
  port: 8085,
  tick: () => broadcast(JSON.stringify({ type: 'tick', at: Date.now() })),
  work: () => {
    broadcast(JSON.stringify({ type: 'work', at: Date.now() }));
    return { clients: clients.size, sent };
  },
  upgrade(req, socket) {
    if (clients.size >= CLIENTS) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return;
    }
    let client = null;
    client = accept(req, socket, { onText: (_, text) => broadcast(text), onClose: () => clients.delete(client) });
    if (client) clients.add(client);
  },
  close() {
    for (const client of clients) client.close(1001);
  },
});
