// All audits of graphql-http: the rules of GraphQL over HTTP, required and recommended ones alike.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: process.argv[2] });
console.log(JSON.stringify([results.length, results.filter(({ status }) => status !== "ok").map(({ id, name, reason }) => [id, name, reason])]));
