// @outfitter/daemon with itself, on Bun: `outfitter.ts serve PLACE`, and `outfitter.ts call PLACE SERVER SECONDS LOAD...`, as the program `ipc`.
// What it needs is installed for the tests: run with NODE_PATH=tests/interop/node_modules.
import { createIpcClient, createIpcServer } from "@outfitter/daemon";
import { readFileSync } from "node:fs";

const [what, place, ...rest] = process.argv.slice(2);
const IN_FLIGHT = 64;
const CONNECTIONS = 1000;

type Echo = { data: string };
type Client = { connect(): Promise<void>; send(payload: unknown): Promise<unknown>; close(): void };

const text = (bytes: number) => "abcdefghijklmnopqrstuvwxyz".repeat(Math.ceil(bytes / 26)).slice(0, bytes);

async function serve() {
  const server = createIpcServer(place);
  server.onMessage(async (message: unknown) => ({ data: (message as Echo).data }));
  await server.listen();
  console.log("READY");
  for await (const _ of Bun.stdin.stream()) {
    // Nothing is expected; its end is.
  }
  process.exit(0);
}

async function connect(): Promise<Client> {
  const client = createIpcClient(place);
  await client.connect();
  return client;
}

async function ask(client: Client, data: string) {
  const answer = (await client.send({ data })) as Echo;
  if (answer.data.length !== data.length) throw new Error("what came back is not what was sent");
}

function figure(load: string, metric: string, value: number) {
  console.log(`ipc/ct/${load}\t@outfitter/daemon\t${metric}\t${value}`);
}

async function sequential(load: string, bytes: number, seconds: number) {
  const [client, data] = [await connect(), text(bytes)];
  for (const begun = performance.now(); performance.now() - begun < seconds * 200; ) await ask(client, data);
  const took: number[] = [];
  for (const begun = performance.now(); performance.now() - begun < seconds * 1000; ) {
    const asked = performance.now();
    await ask(client, data);
    took.push(performance.now() - asked);
  }
  took.sort((one, other) => one - other);
  figure(load, "p50 us", took[took.length >> 1] * 1000);
  client.close();
}

async function inFlight(load: string, bytes: number, seconds: number) {
  const [client, data] = [await connect(), text(bytes)];
  const during = async (seconds: number) => {
    const begun = performance.now();
    let answered = 0;
    const caller = async () => {
      while (performance.now() - begun < seconds * 1000) {
        await ask(client, data);
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
    return (answered / (performance.now() - begun)) * 1000;
  };
  await during(seconds / 5);
  const rate = await during(seconds);
  figure(load, "a second", rate);
  figure(load, "us", 1e6 / rate);
  client.close();
}

async function idle(server: string) {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server}/status`, "utf8"))?.[1]);
  const before = resident();
  const clients: Client[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    clients.push(await connect());
    await ask(clients[i], text(64));
  }
  await Bun.sleep(100);
  figure("idle", "KiB", (resident() - before) / CONNECTIONS);
}

if (what === "serve") await serve();
const [server, seconds, ...loads] = rest;
for (const load of loads) {
  const [kind, bytes] = load.split("/");
  if (kind === "sequential") await sequential(load, Number(bytes), Number(seconds));
  else if (kind === "in-flight") await inFlight(load, Number(bytes), Number(seconds));
  else await idle(server);
}
process.exit(0);
