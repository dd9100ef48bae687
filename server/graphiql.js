      // Subscriptions over server-sent events: each `next` is an answer, `complete` is the end.
      async function* subscribe(params, options) {
        const answer = await fetch(fetchURL, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "text/event-stream", ...options?.headers },
          body: JSON.stringify(params),
        });
        if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
          yield await answer.json();
          return;
        }
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let unread = "";
        try {
          for (let part = await reader.read(); !part.done; part = await reader.read()) {
            const events = (unread + part.value).split("\n\n");
            unread = events.pop();
            for (const event of events) {
              const data = event.match(/^event: next\ndata: (.*)$/)?.[1];
              if (data) yield JSON.parse(data);
            }
          }
        } finally {
          await reader.cancel();
        }
      }

      const overHttp = GraphiQL.createFetcher({ url: fetchURL, headers: defaultHeaders });
      const fetcher = (params, options) => {
        const operation = options?.documentAST?.definitions.find(
          (d) => d.kind === "OperationDefinition" && (!params.operationName || d.name?.value === params.operationName),
        );
        return operation?.operation === "subscription" ? subscribe(params, options) : overHttp(params, options);
      };
