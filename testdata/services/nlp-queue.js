'use strict';
// Buffers requests to a language model: a queue with a bound, one worker, and
// back-pressure instead of growth when it is full.

const { serve } = require('./lib/serve');

const MAX = 500;
const queue = [];
const done = { count: 0, words: 0, refused: 0 };

// tokenize stands where the model is called.
function tokenize(text) {
  const counts = new Map();
  for (const word of text.toLowerCase().split(/\W+/)) {
    if (word) counts.set(word, (counts.get(word) || 0) + 1);
  }
  return counts;
}

function push(text) {
  if (queue.length >= MAX) {
    done.refused += 1;
    return false;
  }
  queue.push(text);
  return true;
}

function drain(n) {
  for (const text of queue.splice(0, n)) {
    done.words += tokenize(text).size;
    done.count += 1;
  }
}

serve({
  name: 'nlp-queue',
  port: 8083,
  tick() {
    drain(100);
    push('remind me to buy two litres of oat milk and a loaf of rye bread on friday');
  },
  work: (q) => {
    const accepted = push((q.get('text') || 'add milk to the list').slice(0, 4096));
    if (!accepted) drain(50);
    return { accepted, waiting: queue.length, ...done };
  },
});
