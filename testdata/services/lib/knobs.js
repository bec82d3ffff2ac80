'use strict';
// What the environment tells a service to do wrong, on top of its ordinary work:
//
//   HOLD=180M               keep that much memory from the start
//   LEAK=heap:2M/s          keep that much more every second, as small objects
//   LEAK=buffer:2M/s        … as memory outside V8's heap
//   LEAK=request:100K       … that much with every request
//   LEAK_MAX=400M           stop leaking when that much has leaked
//   BURST=64M/20s/5s        every 20 s, 64 MB for 5 s
//   CACHE_READ=/path        read that file over and over: page cache, no heap
//   STILL=1                 do nothing of one's own accord
//   TROUBLE=1               let POST /trouble?leak=…&leak_max=… change these later
//
// A value that makes no sense ends the program with 64 (EX_USAGE).

const UNITS = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

function size(text) {
  const m = /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(text);
  if (!m) throw new Error(`size ${JSON.stringify(text)}: want a number with K, M or G, such as 20M`);
  return Math.round(Number(m[1]) * UNITS[m[2]]);
}

function seconds(text) {
  const m = /^(\d+(?:\.\d+)?)s$/.exec(text);
  if (!m) throw new Error(`time ${JSON.stringify(text)}: want seconds, such as 5s`);
  return Number(m[1]);
}

// leak parses "heap:2M/s", "buffer:2M/s" or "request:100K".
function leak(text) {
  const m = /^(heap|buffer|request):([^/]+)(\/s)?$/.exec(text);
  if (!m || (m[1] === 'request') === (m[3] === '/s')) {
    throw new Error(`LEAK ${JSON.stringify(text)}: want heap:SIZE/s, buffer:SIZE/s or request:SIZE`);
  }
  return { kind: m[1], bytes: size(m[2]) };
}

function burst(text) {
  const parts = text.split('/');
  if (parts.length !== 3) throw new Error(`BURST ${JSON.stringify(text)}: want SIZE/EVERY/FOR, such as 64M/20s/5s`);
  return { bytes: size(parts[0]), every: seconds(parts[1]), hold: seconds(parts[2]) };
}

// parse reads the settings from an object of strings.
function parse(env) {
  const out = { still: env.STILL === '1', trouble: env.TROUBLE === '1', leakMax: Infinity };
  if (env.HOLD) out.hold = size(env.HOLD);
  if (env.LEAK) out.leak = leak(env.LEAK);
  if (env.LEAK_MAX) out.leakMax = size(env.LEAK_MAX);
  if (env.BURST) out.burst = burst(env.BURST);
  if (env.CACHE_READ) out.cacheRead = env.CACHE_READ;
  return out;
}

module.exports = { parse, size, seconds, leak, burst };
