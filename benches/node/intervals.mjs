// Many intervals of one period: `node intervals.mjs COUNT PERIOD_MS SECONDS`, as of the program `intervals`.
const [count, period, seconds] = process.argv.slice(2).map(Number);
const report = (metric, value) => console.log(`intervals/${count}/${period}\tnode setInterval\t${metric}\t${value}`);
let ticks = 0;
let on = false;
const before = process.memoryUsage().rss;
for (let i = 0; i < count; i++) {
  setInterval(() => { if (on) ticks++; }, period);
}
setTimeout(() => {
  report('resident B', (process.memoryUsage().rss - before) / count);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  on = true;
  setTimeout(() => {
    on = false;
    const took = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    report('ticks', ticks / (count * took / period));
    report('cpu us', (user + system) / Math.max(1, ticks));
    process.exit(0);
  }, seconds * 1000);
}, Math.max(500, period));
