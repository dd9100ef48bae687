// The loop of docs/live.md, as it stands there. "cut" on stdin breaks the connection that it has.
import readline from "node:readline";
import { createClient } from "graphql-sse";

const { url, loop, watch, variables, headers } = JSON.parse(process.argv[2]);
const { keepWatching } = await import(`data:text/javascript,${encodeURIComponent(loop)}`);
let cut = () => {};
const newClient = () => {
  const breaking = new AbortController();
  cut = () => breaking.abort();
  const fetchFn = (address, given) => fetch(address, { ...given, signal: AbortSignal.any([given.signal, breaking.signal]) });
  return createClient({ url, headers, retryAttempts: 0, fetchFn });
};
keepWatching(newClient, watch, variables, (item) =>
  console.log(JSON.stringify([item.__typename, item.event?.seq ?? null])),
);
for await (const line of readline.createInterface({ input: process.stdin })) if (line === "cut") cut();
process.exit(0);
