'use strict';
// Ends an HTTP server without dropping a request: it accepts no more connections,
// answers what it has begun, and closes connections as they fall idle. How long that
// may take is for whoever stops the program to say (TimeoutStopSec= in its unit).

const SILENT = 1000; // ms that a connection without a request may still send one

class Drain {
  constructor(server) {
    this.server = server;
    this.inFlight = 0;
    this.begun = false;
    this.requests = new Map(); // socket to its requests in flight
    server.on('connection', (socket) => {
      this.requests.set(socket, 0);
      socket.on('close', () => this.requests.delete(socket));
    });
  }

  // request counts one until its response has ended, well or badly.
  request(req, res) {
    const { socket } = req;
    this.count(socket, 1);
    res.on('close', () => this.count(socket, -1));
  }

  count(socket, n) {
    this.inFlight += n;
    if (this.requests.has(socket)) this.requests.set(socket, this.requests.get(socket) + n);
  }

  // release leaves a connection that is not HTTP any more to its new owner, who closes
  // it. The server's end still waits for it.
  release(socket) {
    this.requests.delete(socket);
  }

  // begin calls done when the last connection has closed.
  begin(done) {
    this.begun = true;
    this.server.close(done);
    this.server.closeIdleConnections();
    // To Node a connection that has not sent anything yet is not idle: it would wait
    // for its headers, a minute long.
    setTimeout(() => {
      for (const [socket, n] of this.requests) if (n === 0) socket.destroy();
    }, SILENT);
  }
}

module.exports = { Drain };
