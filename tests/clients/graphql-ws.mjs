// What a storefront does with npm graphql-ws. Each line that it writes is [what, answer]; it ends when its stdin does.
import { createClient } from "graphql-ws";

const { url, query, watch, mutation, variables, good, wrong } = JSON.parse(process.argv[2]);
const tell = (what, answer) => console.log(JSON.stringify([what, answer ?? null]));

async function all(client, request) {
  const answers = [];
  for await (const answer of client.iterate(request)) answers.push(answer);
  return answers;
}

const client = createClient({ url, connectionParams: async () => good, keepAlive: 100, lazyCloseTimeout: 5_000 });
tell("query", await all(client, { query }));
await all(client, { query: mutation }).catch((errors) => tell("mutation", errors.map((e) => e.extensions.code)));

const stop = client.subscribe(
  { query: watch, variables },
  {
    next: (answer) => tell("item", answer.data.item),
    error: (errors) => tell("error", errors.map?.((e) => e.extensions.code) ?? String(errors)),
    complete: () => tell("complete"),
  },
);
process.stdin.resume();
process.stdin.once("data", async () => {
  stop();
  const stranger = createClient({ url, connectionParams: wrong, retryAttempts: 0 });
  await all(stranger, { query }).catch((event) => tell("refused", [event.code, event.reason]));
  await client.dispose();
  process.exit(0); // it would wait for the closing of what nobody uses
});
