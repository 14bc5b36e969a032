// From an emit until every listener has run: `node events.mjs ROUND`. One call is one round, as of the program `events`.
import { EventEmitter } from 'node:events';
import EventEmitter2 from 'eventemitter2';

const round = Number(process.argv[2] ?? 0);
const BURST = 128;

class Subscriber {
  seen = 0;
  sum = 0;
  async onEvent(event) {
    this.seen++;
    this.sum += event.id + event.name[3];
  }
}

const event = id => ({ id, name: [7, 7, 7, 7] });

/** Lets `count` subscribers listen on `emitter`, to the names in turn. */
function listen(emitter, count, names) {
  for (let i = 0; i < count; i++) {
    const subscriber = new Subscriber();
    emitter.on(names[i % names.length], event => subscriber.onEvent(event));
  }
}

const contenders = {
  'node EventEmitter': (count, names) => {
    const emitter = new EventEmitter();
    emitter.setMaxListeners(0);
    listen(emitter, count, names);
    return async (name, event) => { emitter.emit(name, event); };
  },
  'eventemitter2': (count, names) => {
    const emitter = new EventEmitter2({ maxListeners: 0 });
    listen(emitter, count, names);
    return (name, event) => emitter.emitAsync(name, event);
  },
};

const cases = ['roundtrip', 'burst'].flatMap(shape => [1, 10, 100, 1000].map(count => [shape, count]));
for (const [shape, count] of [...cases, ['topics', 100], ['topics', 1000]]) {
  const names = shape === 'topics' ? Array.from({ length: count }, (_, i) => `bench:topics:${i}`) : ['bench:users:created'];
  const entries = Object.entries(contenders);
  for (const [contender, make] of round % 2 ? entries.reverse() : entries) {
    const emit = make(count, names);
    const cycle = {
      roundtrip: async () => { await emit(names[0], event(1)); return count; },
      burst: async () => {
        let last;
        for (let i = 0; i < BURST; i++) last = emit(names[0], event(i));
        await last;
        return BURST * count;
      },
      topics: async () => {
        let last;
        for (const name of names) last = emit(name, event(1));
        await last;
        return count;
      },
    }[shape];
    for (const begun = performance.now(); performance.now() - begun < 15;) await cycle();
    const begun = performance.now();
    let deliveries = 0;
    while (performance.now() - begun < 40) deliveries += await cycle();
    console.log(`ct/${shape}/${count}\t${contender}\tns\t${(performance.now() - begun) * 1e6 / deliveries}`);
  }
}
