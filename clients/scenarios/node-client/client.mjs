// @aws-sdk/client-direct-connect as a process, so that a test can drive it: a call per line in, an answer per line out.
//
//   {"call": "CreateConnection", "parameters": {…}}  ─►  {"answer": {…}}
//                                                        {"refused": {"code": "…", "text": "…"}}   the API said no
//                                                        {"unsayable": "…"}                        the SDK has no such call
//                                                        {"failed": "…"}                           anything else
//
// Keys, Region and address come from AWS's own configuration files in HOME. The argument is the folder that the
// package was installed into.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const sdk = createRequire(`${process.argv[2]}/`)("@aws-sdk/client-direct-connect");
const client = new sdk.DirectConnectClient({ maxAttempts: 1 });

async function told({ call, parameters }) {
  const Command = sdk[`${call}Command`];
  if (!Command) return { unsayable: `the SDK has no ${call}` };
  try {
    const { $metadata, ...answer } = await client.send(new Command(parameters));
    return { answer };
  } catch (error) {
    if (!error.$metadata?.httpStatusCode) return { failed: String(error.stack) };
    return { refused: { code: error.name, text: error.message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await told(JSON.parse(line))));
}
