// The seed's client against whatever listens at the path given: what it expects of a server, checked one by one.
import { createIpcClient } from "@outfitter/daemon";

const client = createIpcClient(process.argv[2]);
let checks = 0;

function check(what: string, is: unknown, should: unknown) {
  const [left, right] = [JSON.stringify(is), JSON.stringify(should)];
  if (left !== right) {
    console.log(`${what}: ${left} and not ${right}`);
    process.exit(1);
  }
  checks += 1;
}

async function failure(payload: unknown): Promise<string> {
  try {
    return `no failure, but ${JSON.stringify(await client.send(payload))}`;
  } catch (error) {
    return (error as Error).message;
  }
}

await client.connect();

const values = [null, true, 0, -1.5, 9007199254740991, "", "é🦀\n\"\\\u0000", [], [1, [2]], {}, { a: { b: null } }];
for (const value of values) {
  check("echo", await client.send({ type: "echo", value }), value);
}
check("no payload in the answer", await client.send({ type: "nothing" }), undefined);
check("a failure is its message", await failure({ type: "fail", message: "no such room" }), "no such room");
check("a panic is a failure", (await failure({ type: "panic" })).includes("panicked"), true);
check("what is unknown is a failure", (await failure({ type: "unknown" })).includes("unknown"), true);
check("nothing as a payload is a failure", (await failure(undefined)).includes("no payload"), true);

const order: string[] = [];
await Promise.all([
  client.send({ type: "slow", value: "slow" }).then((value) => order.push(value as string)),
  client.send({ type: "echo", value: "fast" }).then((value) => order.push(value as string)),
]);
check("answers come as they are ready", order, ["fast", "slow"]);

const numbers = Array.from({ length: 200 }, (_, number) => number);
check("200 at once", await Promise.all(numbers.map((value) => client.send({ type: "echo", value }))), numbers);

// Its own server truncates what is longer than one buffer of the kernel; an answer of any length is read.
const large = (await client.send({ type: "large", length: 1_000_000 })) as string;
check("a large answer", large.length, 1_000_000);

client.close();
console.log(`all ${checks} are as they should be`);
process.exit(0);
