'use strict';
// The server's side of RFC 6455: the handshake and one connection's life.

const crypto = require('node:crypto');
const { OP, CODE, Receiver, Violation, frame, closeFrame, closeCode } = require('./frames');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const LINGER = 2000; // ms from our close to the end of a peer that does not answer it
const MESSAGE_MAX = 16 * 1024;
const UNREAD_MAX = 48 * 1024; // sent, and not read by the peer

// refuse answers a handshake with an error.
function refuse(socket, status, headers = '') {
  socket.end(`HTTP/1.1 ${status}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

// proof answers the request's key; undefined where the handshake is not one.
function proof(req) {
  const key = req.headers['sec-websocket-key'] || '';
  const fits = req.method === 'GET' && /^websocket$/i.test(req.headers.upgrade || '') && Buffer.from(key, 'base64').length === 16;
  return fits ? crypto.createHash('sha1').update(key + GUID).digest('base64') : undefined;
}

class Connection {
  constructor(socket, { onText, onClose }) {
    this.socket = socket;
    this.onText = onText;
    this.closing = false;
    this.receiver = new Receiver(MESSAGE_MAX);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on('data', (data) => this.receive(data));
    socket.on('end', () => socket.end());
    socket.on('close', () => onClose(this));
  }

  // slow: the peer leaves unread what it was sent.
  get slow() {
    return this.socket.writableLength > UNREAD_MAX;
  }

  // send takes a frame that is ready, so that a broadcast builds it once.
  send(bytes) {
    if (!this.closing) this.socket.write(bytes);
  }

  // pong answers a ping; for a peer that only asks, answers would pile up.
  pong(payload) {
    if (this.slow) this.close(CODE.policy);
    else this.send(frame(OP.pong, payload));
  }

  // close begins the closing handshake, and ends it if the peer does not.
  close(code) {
    if (this.closing) return;
    this.closing = true;
    this.socket.end(closeFrame(code));
    setTimeout(() => this.socket.destroy(), LINGER).unref();
  }

  receive(data) {
    if (this.closing) return; // the peer's answer to our close, or what it sent before
    try {
      for (const { op, payload } of this.receiver.messages(data)) {
        if (op === OP.text) this.onText(payload);
        else if (op === OP.ping) this.pong(payload);
        else if (op === OP.close) this.close(closeCode(payload));
        if (this.closing) return;
      }
    } catch (err) {
      if (!(err instanceof Violation)) throw err;
      this.close(err.code);
    }
  }
}

// accept answers a handshake. It calls onText(payload) for each message and
// onClose(connection) once, and returns the connection, or null after refusing. The
// socket's errors are the caller's to handle.
function accept(req, socket, head, handlers) {
  const answer = proof(req);
  if (answer === undefined) {
    refuse(socket, '400 Bad Request');
    return null;
  }
  if (req.headers['sec-websocket-version'] !== '13') {
    refuse(socket, '426 Upgrade Required', 'Sec-WebSocket-Version: 13\r\n');
    return null;
  }
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return new Connection(socket, handlers);
}

module.exports = { accept, refuse };
