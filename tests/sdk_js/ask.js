// Sends the calls in the JSON on standard input with one of AWS's own clients, and prints the answers as JSON.
import { readFileSync } from "node:fs";

const { package: name, client: type, calls, isSigned, ...configuration } = JSON.parse(readFileSync(0, "utf8"));
const unsigned = isSigned ? {} : { signer: { sign: async (request) => request } };
const sdk = await import(name);
const client = new sdk[type]({ ...configuration, ...unsigned });
const answers = [];
for (const { operation, input } of calls) {
  try {
    const { $metadata, ...answer } = await client.send(new sdk[`${operation}Command`](input));
    answers.push(answer);
  } catch (error) {
    answers.push({ error: { name: error.name, status: error.$metadata?.httpStatusCode ?? null, message: error.message } });
  }
}
console.log(JSON.stringify(answers));
