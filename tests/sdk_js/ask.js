// Asks what stands as JSON on the standard input, with AWS's own client, and prints the answers as JSON.
import { readFileSync } from "node:fs";
import * as iot from "@aws-sdk/client-iot";

const { calls, isSigned, ...configuration } = JSON.parse(readFileSync(0, "utf8"));
const unsigned = isSigned ? {} : { signer: { sign: async (request) => request } };
const client = new iot.IoTClient({ ...configuration, ...unsigned });
const answers = [];
for (const { operation, input } of calls) {
  try {
    const { $metadata, ...answer } = await client.send(new iot[`${operation}Command`](input));
    answers.push(answer);
  } catch (error) {
    answers.push({ error: { name: error.name, status: error.$metadata?.httpStatusCode ?? null, message: error.message } });
  }
}
console.log(JSON.stringify(answers));
