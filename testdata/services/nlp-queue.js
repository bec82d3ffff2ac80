'use strict';
// Buffers requests to a language model that answers a few at a time: a queue with a
// bound, and back-pressure instead of growth when it is full.
//
//   GET /work?text=…       waits for the answer; 429 when the queue is full
//   POST /requests         queues the body: {id}; 429 when the queue is full
//   GET /requests?id=7     {state: waiting | done, answer}; 404 some while after
//   GET /queue             {waiting, running, answered, refused}

const { setTimeout: pause } = require('node:timers/promises');
const { serve, number, Refusal } = require('./lib/serve');

const WAITING_MAX = 500;
const AT_ONCE = 4; // requests that the model works on
const MODEL_MS = 20; // that it takes for one
const TEXT_MAX = 4096; // characters; more is refused: a slice of it would keep all of it in memory
const KEPT = 200; // answers that wait for somebody to ask for them

// askModel stands where the language model is called.
async function askModel(text) {
  await pause(MODEL_MS);
  const counts = new Map();
  for (const word of text.toLowerCase().split(/\W+/)) {
    if (word) counts.set(word, (counts.get(word) || 0) + 1);
  }
  const items = [...counts].filter(([word]) => word.length > 3).map(([word, times]) => ({ word, times }));
  return { intent: counts.has('remind') ? 'reminder' : 'list', items };
}

const queue = []; // of {text, done}
const count = { running: 0, answered: 0, refused: 0 };

function work() {
  while (count.running < AT_ONCE && queue.length > 0) {
    const { text, done } = queue.shift();
    count.running += 1;
    askModel(text).then((answer) => {
      count.running -= 1;
      count.answered += 1;
      done(answer);
      work();
    });
  }
}

// ask resolves to the model's answer.
function ask(text) {
  if (text.length > TEXT_MAX) throw new Refusal(413, `text: want at most ${TEXT_MAX} characters`);
  if (queue.length >= WAITING_MAX) {
    count.refused += 1;
    throw new Refusal(429, 'the queue is full', { 'Retry-After': '1' });
  }
  return new Promise((done) => {
    queue.push({ text, done });
    work();
  });
}

const unanswered = new Set(); // ids; no more than wait and run
const answers = new Map(); // id to answer
let lastId = 0;

function submit(text) {
  const answered = ask(text);
  lastId += 1;
  const id = lastId;
  unanswered.add(id);
  answered.then((answer) => {
    unanswered.delete(id);
    answers.set(id, answer);
    if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  });
  return { id };
}

function result(query) {
  const id = number(query, 'id', 0, 1, Number.MAX_SAFE_INTEGER);
  if (unanswered.has(id)) return { id, state: 'waiting' };
  if (!answers.has(id)) throw new Refusal(404, `no request ${id}`);
  return { id, state: 'done', answer: answers.get(id) };
}

serve({
  name: 'nlp-queue',
  port: 8083,
  tick() {
    if (queue.length < WAITING_MAX / 2) submit('remind me to buy two litres of oat milk and a loaf of rye bread on friday');
  },
  work: (query) => ask(query.get('text') || 'add milk to the list'),
  routes: {
    'POST /requests': (_, body) => submit(body),
    'GET /requests': result,
    'GET /queue': () => ({ waiting: queue.length, ...count }),
  },
});
