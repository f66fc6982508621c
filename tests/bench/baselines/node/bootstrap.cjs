// The loop of a Lambda runtime client. The official client must be compiled and does more, so this one favours Node.js.
// Usage: node bootstrap.cjs <bundle with `handler`>

const http = require("node:http");

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const INVOCATIONS = "/2018-06-01/runtime/invocation";

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const request = http.request({ host, port, method, path, agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function main() {
  const { handler } = require(process.argv[2]);
  for (;;) {
    const next = await call("GET", `${INVOCATIONS}/next`);
    const id = next.headers["lambda-runtime-aws-request-id"];
    try {
      const answer = await handler(JSON.parse(next.body));
      await call("POST", `${INVOCATIONS}/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      const payload = { errorType: error.name, errorMessage: error.message, trace: error.stack.split("\n") };
      await call("POST", `${INVOCATIONS}/${id}/error`, JSON.stringify(payload));
    }
  }
}

main();
