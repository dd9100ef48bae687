// A board, watched by the clients that storefronts and admin screens use. Lines of stdin are variables: each begins a
// stream anew after cutting the one before. Each line of stdout is [what, answer]; it ends when its stdin does.
import readline from "node:readline";
import { ApolloClient, ApolloLink, InMemoryCache, Observable, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, fetchExchange } from "@urql/core";
import { print } from "graphql";
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";

const { url, client: name, watch, headers } = JSON.parse(process.argv[2]);
const tell = (what, answer) => console.log(JSON.stringify([what, answer ?? null]));

// What a client says once it was cut is about the cut.
let begun = 0;
function sinkOf(number) {
  const say = (what, answer) => number === begun && tell(what, answer);
  return {
    next: (answer) => say("item", answer.data?.item ?? answer),
    error: (error) => say("error", String(error?.message ?? JSON.stringify(error))),
    complete: () => say("complete"),
  };
}

// Each answers with what cuts the stream: the connection is gone, as with a lid that is closed.
const clients = {
  "graphql-sse": (variables, sink) => {
    const client = createSse({ url, headers, singleConnection: false, retryAttempts: 0 });
    client.subscribe({ query: watch, variables }, sink);
    return () => client.dispose();
  },
  "graphql-ws": (variables, sink) => {
    const client = createWs({ url: url.replace("http", "ws"), connectionParams: headers, retryAttempts: 0 });
    client.subscribe({ query: watch, variables }, sink);
    return () => client.terminate();
  },
  urql: (variables, sink) => {
    const client = new Client({
      url,
      exchanges: [fetchExchange],
      fetchSubscriptions: true,
      preferGetMethod: false,
      requestPolicy: "network-only",
      fetchOptions: { headers },
    });
    const { unsubscribe } = client.subscription(watch, variables).subscribe((result) => {
      if (result.error) sink.error(result.error);
      else if (result.hasNext) sink.next(result);
      else sink.complete(); // it says its last item once more with it
    });
    return unsubscribe;
  },
  apollo: (variables, sink) => {
    const ws = createWs({ url: url.replace("http", "ws"), connectionParams: headers, retryAttempts: 0 });
    return apollo(new GraphQLWsLink(ws), variables, sink, () => ws.terminate());
  },
  "apollo over SSE": (variables, sink) => {
    const sse = createSse({ url, headers, retryAttempts: 0 });
    const link = new ApolloLink(
      (operation) =>
        new Observable((observer) =>
          sse.subscribe({ query: print(operation.query), variables: operation.variables }, observer),
        ),
    );
    return apollo(link, variables, sink, () => sse.dispose());
  },
};

function apollo(link, variables, sink, cut) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const watched = client.subscribe({ query: gql(watch), variables, fetchPolicy: "no-cache" }).subscribe(sink);
  return () => {
    watched.unsubscribe();
    cut();
  };
}

let cut = () => {};
for await (const line of readline.createInterface({ input: process.stdin })) {
  begun += 1;
  cut();
  cut = clients[name](JSON.parse(line), sinkOf(begun));
}
process.exit(0);
