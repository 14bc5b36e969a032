// What the seed's functions make of an instance. `look NAME LOCK` says what they read; `hold LOCK` holds a lock until standard input ends.
import {
  acquireDaemonLock,
  createDaemon,
  getDaemonDir,
  getLockPath,
  getPidPath,
  getSocketPath,
  isDaemonAlive,
  isProcessAlive,
  readLockPid,
  releaseDaemonLock,
} from "@outfitter/daemon";

const [verb, ...args] = process.argv.slice(2);

if (verb === "look") {
  const [name, lock, pidFile] = args;
  const pid = await readLockPid(lock);
  const alive = await isDaemonAlive(lock);
  const acquired = await acquireDaemonLock(lock);
  const daemon = createDaemon({ name, pidFile });
  const started = await daemon.start();
  console.log(
    JSON.stringify({
      paths: [getDaemonDir(name), getSocketPath(name), getLockPath(name), getPidPath(name)],
      pid: pid ?? null,
      alive,
      processAlive: pid !== undefined && isProcessAlive(pid),
      acquired: acquired.isOk() ? "acquired" : acquired.error._tag,
      started: started.isOk() ? "started" : started.error.code,
    }),
  );
  if (acquired.isOk()) await releaseDaemonLock(acquired.value);
  if (started.isOk()) await daemon.stop();
  process.exit(0);
}

if (verb === "hold") {
  const [lock] = args;
  const acquired = await acquireDaemonLock(lock);
  if (acquired.isErr()) {
    console.log(acquired.error.message);
    process.exit(1);
  }
  console.log(`held by ${acquired.value.pid}`);
  for await (const _ of Bun.stdin.stream()) {
    // Nothing is expected; its end is.
  }
  await releaseDaemonLock(acquired.value);
  process.exit(0);
}

console.log(`what is ${verb}?`);
process.exit(2);
