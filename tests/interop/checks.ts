// What both tests of the seed's client share: checks one by one, against whatever listens at the path given.
import { createIpcClient } from "@outfitter/daemon";

export const client = createIpcClient(process.argv[2]);
let checks = 0;

export function check(what: string, is: unknown, should: unknown) {
  const [left, right] = [JSON.stringify(is), JSON.stringify(should)];
  if (left !== right) {
    console.log(`${what}: ${left} and not ${right}`);
    process.exit(1);
  }
  checks += 1;
}

export async function failure(payload: unknown): Promise<string> {
  try {
    return `no failure, but ${JSON.stringify(await client.send(payload))}`;
  } catch (error) {
    return (error as Error).message;
  }
}

export function done() {
  client.close();
  console.log(`all ${checks} are as they should be`);
  process.exit(0);
}
