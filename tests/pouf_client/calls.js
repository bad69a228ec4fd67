// Run by test_typescript.py beside the compiled client: the service, a model and a picture are its arguments.
import { readFile } from "node:fs/promises";
import { createDataset, createPouf, everyOne, ok, PoufError, predictPictures, waitForDataset } from "./index.js";

const [url, model, picture] = process.argv.slice(2);
const pouf = createPouf({ baseUrl: url + "/" });
const content = new Blob([await readFile(picture)]);

const dataset = await createDataset(pouf, [{ name: "a.png", content }], { name: "mine", modality: "image" });
const page = (cursor) => ok(pouf.GET("/v1/datasets", { params: { query: { cursor, limit: 1 } } }));
const names = [];
for await (const each of everyOne(page)) names.push(each.name);
const unknown = { params: { path: { job_id: "job_1" } } };
const refused = await ok(pouf.GET("/v1/jobs/{job_id}", unknown)).catch((error) => error);
const late = await waitForDataset(pouf, dataset.id, { timeout: 0 }).catch((error) => error.message);
const answer = await predictPictures(pouf, model, [content]);

// The first try meets a busy service; then more pictures than a request takes.
let tries = 0;
const keys = new Set();
const flaky = createPouf({
  baseUrl: url,
  fetch: (request) => {
    keys.add(request.headers.get("Idempotency-Key"));
    return tries++ ? fetch(request) : Promise.resolve(new Response(null, { status: 503 }));
  },
});
const many = await predictPictures(flaky, model, Array(65).fill(content));
const indexes = many.predictions.map((each) => each.index);

const told = [refused instanceof PoufError, refused.status, refused.code];
console.log(JSON.stringify({ names, told, late, label: answer.predictions[0].label, tries, keys: keys.size, last: indexes.at(-1) }));
