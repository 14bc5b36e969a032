// The seed's client and the commands of a host whose socket is at the path given.
import { check, client, done, failure } from "./checks";

await client.connect();

for (const request of [null, true, -1.5, "é🦀\n", [1, [2]], { a: { b: null } }]) {
  check("a command", await client.send({ command: "room.echo", request }), request);
}
check("without a request", await client.send({ command: "room.echo" }), null);
check("a failure", await failure({ command: "room.fails" }), "the command failed: the room is closed");
check("an unknown daemon", await failure({ command: "rom.echo" }), "no daemon named `rom`; this host has: ipc, room");
check(
  "an unknown command",
  await failure({ command: "room.ech" }),
  "daemon `room` has no command `ech`; it has: echo, fails, leave",
);
check("something else", (await failure({ type: "status" })).includes('{"command":"daemon.command","request":..}'), true);
check("events take more", (await failure({ subscribe: "**" })).includes("the answer has many items"), true);
const numbers = Array.from({ length: 100 }, (_, number) => number);
check("100 at once", await Promise.all(numbers.map((request) => client.send({ command: "room.echo", request }))), numbers);
check("the end", await client.send({ command: "room.leave" }), null);

done();
