// The seed's server at the path given, until standard input ends.
import { createIpcServer } from "@outfitter/daemon";

const server = createIpcServer(process.argv[2]);

server.onMessage(async (message) => {
  if (message === undefined) return "nothing was asked";
  const { type, value } = message as { type: string; value: unknown };
  switch (type) {
    case "echo":
      return value;
    case "nothing":
      return undefined;
    case "fail":
      throw new Error(value as string);
    case "throw":
      throw value;
    case "cycle": {
      const cycle: Record<string, unknown> = {};
      cycle.self = cycle;
      return cycle;
    }
    case "slow":
      await Bun.sleep(50);
      return value;
    case "never":
      return await new Promise(() => {});
    case "large":
      return "x".repeat(value as number);
  }
});

await server.listen();
console.log("listening");
for await (const _ of Bun.stdin.stream()) {
  // Nothing is expected; its end is.
}
await server.close();
process.exit(0);
