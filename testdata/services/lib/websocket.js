'use strict';
// The server's side of RFC 6455, as much of it as a gateway needs: the handshake,
// text frames, ping, pong and close. Frames of more than 64 KiB, fragments and
// unmasked frames end the connection with the code that the RFC gives them.

const crypto = require('node:crypto');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX = 65536;
const OP = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

function frame(op, payload) {
  const n = payload.length;
  const head = n < 126 ? Buffer.from([0x80 | op, n]) : Buffer.from([0x80 | op, 126, n >> 8, n & 255]);
  return Buffer.concat([head, payload]);
}

function closeFrame(code) {
  return frame(OP.close, Buffer.from([code >> 8, code & 255]));
}

// parse takes one frame off the front of a buffer: null when it is not whole yet,
// {error} with a close code when it must not be, {op, payload, rest} otherwise.
function parse(buf) {
  if (buf.length < 2) return null;
  const fin = buf[0] & 0x80;
  const op = buf[0] & 0x0f;
  if (!fin || op === 0 || buf[0] & 0x70) return { error: 1003 };
  if (!(buf[1] & 0x80)) return { error: 1002 };
  let n = buf[1] & 0x7f;
  let at = 2;
  if (n === 127) return { error: 1009 };
  if (n === 126) {
    if (buf.length < 4) return null;
    n = buf.readUInt16BE(2);
    at = 4;
  }
  if (n > MAX) return { error: 1009 };
  if (op >= 8 && n > 125) return { error: 1002 };
  if (buf.length < at + 4 + n) return null;
  const mask = buf.subarray(at, at + 4);
  const payload = Buffer.from(buf.subarray(at + 4, at + 4 + n));
  for (let i = 0; i < n; i += 1) payload[i] ^= mask[i & 3];
  return { op, payload, rest: buf.subarray(at + 4 + n) };
}

// accept answers a handshake and calls onText(send, text) for each message. It
// returns the connection, or null when the request was not one for a WebSocket.
function accept(req, socket, { onText, onClose }) {
  const key = req.headers['sec-websocket-key'];
  if (!key || req.headers['sec-websocket-version'] !== '13') {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    return null;
  }
  const proof = crypto.createHash('sha1').update(key + GUID).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`);
  const connection = {
    send: (text) => socket.write(frame(OP.text, Buffer.from(text))),
    close: (code) => socket.end(closeFrame(code)),
    get slow() { return socket.writableLength > MAX; },
  };
  let pending = Buffer.alloc(0);
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    for (;;) {
      const f = parse(pending);
      if (f === null) return;
      if (f.error) return connection.close(f.error);
      pending = f.rest;
      if (f.op === OP.text) onText(connection, f.payload.toString());
      else if (f.op === OP.ping) socket.write(frame(OP.pong, f.payload));
      else if (f.op === OP.close) return socket.end(frame(OP.close, f.payload.subarray(0, 2)));
      else if (f.op === OP.binary) return connection.close(1003);
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', onClose);
  return connection;
}

module.exports = { accept, parse, frame };
