'use strict';
// Frames of RFC 6455 (WebSocket), section 5, as a server reads and writes them.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-------+-+-------------+-------------------------------+
//   |F|R|R|R| opcode|M| length      | 16 bits of length when 126,   |
//   |I|S|S|S|  (4)  |A|     (7)     | 64 when 127; then 4 bytes of  |
//   |N|V|V|V|       |S|             | mask when M; then the payload |
//   | |1|2|3|       |K|             |                               |
//   +-+-+-+-+-------+-+-------------+-------------------------------+

const { isUtf8 } = require('node:buffer');

const OP = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const KNOWN = new Set(Object.values(OP));
const CODE = { goingAway: 1001, protocol: 1002, unsupported: 1003, notUtf8: 1007, policy: 1008, tooBig: 1009 };
const CONTROL_MAX = 125;

// Violation ends a connection with the code that the RFC gives the offence.
class Violation extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// frame builds a whole, unmasked one.
function frame(op, payload) {
  const n = payload.length;
  let head;
  if (n < 126) {
    head = Buffer.from([0x80 | op, n]);
  } else if (n < 65536) {
    head = Buffer.from([0x80 | op, 126, 0, 0]);
    head.writeUInt16BE(n, 2);
  } else {
    head = Buffer.from([0x80 | op, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(n), 2);
  }
  return Buffer.concat([head, payload]);
}

// closeFrame has a code, or nothing where the peer gave none.
function closeFrame(code) {
  return frame(OP.close, code === undefined ? Buffer.alloc(0) : Buffer.from([code >> 8, code & 255]));
}

// closeCode reads the code from a close frame: undefined where there is none.
function closeCode(payload) {
  if (payload.length === 0) return undefined;
  const code = payload.length === 1 ? 0 : payload.readUInt16BE(0);
  const allowed = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  if (!allowed || !isUtf8(payload.subarray(2))) throw new Violation(CODE.protocol, 'close frame');
  return code;
}

// Receiver puts messages together from what comes off a socket. It holds no more than
// one message of at most max bytes and one frame's head.
class Receiver {
  constructor(max) {
    this.max = max;
    this.pending = Buffer.alloc(0);
    this.message = null; // begun by a fragment: max bytes, so that tiny fragments cost no more
    this.size = 0; // of them that came
  }

  // messages yields {op, payload} for text, ping, pong and close, and throws Violation.
  * messages(data) {
    this.pending = this.pending.length === 0 ? data : Buffer.concat([this.pending, data]);
    for (let f = this.next(); f !== null; f = this.next()) {
      if (f.op >= OP.close) {
        yield f;
      } else {
        const whole = this.assemble(f);
        if (whole !== null) yield { op: OP.text, payload: whole };
      }
    }
    this.pending = Buffer.from(this.pending); // a view would keep all that was read
  }

  // next takes a frame off the front: null when it is not all there yet.
  next() {
    const buf = this.pending;
    if (buf.length < 2) return null;
    const fin = (buf[0] & 0x80) !== 0;
    const op = buf[0] & 0x0f;
    if (buf[0] & 0x70) throw new Violation(CODE.protocol, 'reserved bits');
    if (!KNOWN.has(op)) throw new Violation(CODE.protocol, 'opcode');
    if (!(buf[1] & 0x80)) throw new Violation(CODE.protocol, 'a client masks its frames');
    let n = buf[1] & 0x7f;
    if (op >= OP.close && (!fin || n > CONTROL_MAX)) throw new Violation(CODE.protocol, 'control frame');
    let at = 2;
    if (n === 126) {
      if (buf.length < 4) return null;
      n = buf.readUInt16BE(2);
      at = 4;
    } else if (n === 127) {
      if (buf.length < 10) return null;
      n = Number(buf.readBigUInt64BE(2));
      at = 10;
    }
    if (this.size + n > this.max && op < OP.close) throw new Violation(CODE.tooBig, 'message');
    if (buf.length < at + 4 + n) return null;
    const mask = buf.subarray(at, at + 4);
    const payload = Buffer.from(buf.subarray(at + 4, at + 4 + n));
    for (let i = 0; i < n; i += 1) payload[i] ^= mask[i & 3];
    this.pending = buf.subarray(at + 4 + n);
    return { fin, op, payload };
  }

  // assemble returns the message that a frame completes, or null.
  assemble({ fin, op, payload }) {
    if (op === OP.binary) throw new Violation(CODE.unsupported, 'text only');
    if ((op === OP.more) !== (this.message !== null)) throw new Violation(CODE.protocol, 'fragments out of order');
    let whole = payload;
    if (!fin || op === OP.more) {
      this.message ??= Buffer.allocUnsafeSlow(this.max);
      this.size += payload.copy(this.message, this.size);
      if (!fin) return null;
      whole = this.message.subarray(0, this.size);
      this.message = null;
      this.size = 0;
    }
    if (!isUtf8(whole)) throw new Violation(CODE.notUtf8, 'text');
    return whole;
  }
}

module.exports = { OP, CODE, Receiver, Violation, frame, closeFrame, closeCode };
