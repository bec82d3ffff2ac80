'use strict';
// What the environment tells a service to do wrong, on top of its ordinary work:
//
//   HOLD=180M               keep that much memory from the start
//   LEAK=heap:2M/s          keep that much more every second, as small objects
//   LEAK=buffer:2M/s        … as memory outside V8's heap
//   LEAK=request:100K       … that much with every request, as small objects
//   LEAK_MAX=400M           stop leaking when that much has leaked
//   BURST=64M/20s/5s        every 20 s, 64 MB for 5 s
//   CACHE_READ=/path        read that file over and over: page cache, no heap
//   STILL=1                 do nothing of one's own accord
//   TROUBLE=1               let POST /trouble?leak=…&leak_max=…&hold=…&burst=…
//                           change these later; "off" ends one and frees its memory
//
// Sizes are in bytes, or in KiB, MiB, GiB with K, M, G. An empty value is none. A
// value that makes no sense ends the program with 64 (EX_USAGE).

const fs = require('node:fs');

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const SIZE_MAX = 64 * UNITS.G;

class BadKnob extends Error {}

function size(text) {
  const m = /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(text);
  const bytes = m ? Math.round(Number(m[1]) * UNITS[m[2]]) : 0;
  if (bytes < 1 || bytes > SIZE_MAX) throw new BadKnob('want a size of up to 64G, such as 20M');
  return bytes;
}

function seconds(text) {
  const m = /^(\d+(?:\.\d+)?)s$/.exec(text);
  const s = m ? Number(m[1]) : 0;
  if (s < 0.1 || s > 86400) throw new BadKnob('want a time from 0.1s to 86400s, such as 5s');
  return s;
}

function leak(text) {
  const m = /^(?:(heap|buffer):([^/]+)\/s|(request):([^/]+))$/.exec(text);
  if (!m) throw new BadKnob('want heap:SIZE/s, buffer:SIZE/s or request:SIZE, such as heap:2M/s');
  return { kind: m[1] || m[3], bytes: size(m[2] || m[4]) };
}

function burst(text) {
  const parts = text.split('/');
  if (parts.length !== 3) throw new BadKnob('want SIZE/EVERY/FOR, such as 64M/20s/5s');
  const b = { bytes: size(parts[0]), every: seconds(parts[1]), hold: seconds(parts[2]) };
  if (b.hold >= b.every) throw new BadKnob('want a burst that ends before the next begins, such as 64M/20s/5s');
  return b;
}

function file(path) {
  let stat;
  try {
    stat = fs.statSync(path);
  } catch (err) {
    throw new BadKnob(`want the path of a file: ${err.code}`);
  }
  if (!stat.isFile()) throw new BadKnob('want the path of a file');
  return path;
}

function flag(text) {
  if (text !== '0' && text !== '1') throw new BadKnob('want 0 or 1');
  return text === '1';
}

function orOff(read) {
  return (text) => (text === 'off' ? null : read(text));
}

// Each knob: what the environment calls it, what the program does, how it reads.
const AT_START = {
  HOLD: ['hold', size],
  LEAK: ['leak', leak],
  LEAK_MAX: ['leakMax', size],
  BURST: ['burst', burst],
  CACHE_READ: ['cacheRead', file],
  STILL: ['still', flag],
  TROUBLE: ['trouble', flag],
};
const LATER = {
  hold: ['hold', orOff(size)],
  leak: ['leak', orOff(leak)],
  leak_max: ['leakMax', size],
  burst: ['burst', orOff(burst)],
};

function read([name, parse], key, text) {
  try {
    return [name, parse(text)];
  } catch (err) {
    if (!(err instanceof BadKnob)) throw err;
    throw new BadKnob(`${key}=${text}: ${err.message}`);
  }
}

// fromEnv reads the knobs from the environment: {leak: {kind, bytes}, still: true, …}
// with nothing for what is not set. It throws BadKnob.
function fromEnv(env) {
  const set = Object.keys(AT_START).filter((key) => env[key]);
  return Object.fromEntries(set.map((key) => read(AT_START[key], key, env[key])));
}

// fromQuery reads them from the query of POST /trouble; null is "off". A name that is
// not a knob is a BadKnob too.
function fromQuery(query) {
  return Object.fromEntries([...query].map(([key, text]) => {
    if (!Object.hasOwn(LATER, key)) throw new BadKnob(`${key}: want one of ${Object.keys(LATER).join(', ')}`);
    return read(LATER[key], key, text);
  }));
}

module.exports = { fromEnv, fromQuery, BadKnob };
