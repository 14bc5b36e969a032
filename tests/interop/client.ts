// The seed's client against whatever listens at the path given: what it expects of a server, checked one by one.
import { check, client, done, failure } from "./checks";

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

done();
