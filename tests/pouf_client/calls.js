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

// An alias: the first tries meet a busy service and a try under way; then more pictures than a request takes.
await ok(pouf.PUT("/v1/aliases/{name}", { params: { path: { name: "moved" } }, body: { model_id: model } }));
Request.prototype.clone = () => { throw new Error("A clone keeps the files in memory."); };
const problem = (status, code) => new Response(JSON.stringify({ code }), { status });
const refusals = [problem(503, "busy"), problem(409, "idempotency_key_in_flight"), problem(413, "body_too_large")];
const tries = [];
const flaky = createPouf({
  baseUrl: url,
  fetch: async (request) => {
    const body = await request.formData();
    const key = request.headers.get("Idempotency-Key");
    tries.push([key, body.get("model"), body.getAll("image").length]);
    const refusal = refusals.shift();
    return refusal ?? fetch(request.url, { method: request.method, headers: { "Idempotency-Key": key }, body });
  },
});
const many = await predictPictures(flaky, "moved", Array(65).fill(content));
const indexes = many.predictions.map((each) => each.index);
const keys = new Set(tries.map(([key]) => key)).size;
const asked = tries.map(([, ...rest]) => rest);

// One picture that is too large for any request, and one that is none.
const narrow = createPouf({
  baseUrl: url,
  fetch: async (request) => {
    const body = await request.formData();
    if (body.getAll("image").some((each) => each.name === "large.png")) return problem(413, "body_too_large");
    return fetch(request.url, { method: request.method, body });
  },
});
const [large, broken] = [new File([content], "large.png"), new File(["none"], "broken.png")];
const some = await predictPictures(narrow, model, [content, large, broken]);
const codes = some.predictions.map((each) => each.error?.code ?? each.label);
const none = await predictPictures(narrow, model, [large]).catch((error) => error.code);

const told = [refused instanceof PoufError, refused.status, refused.code];
console.log(JSON.stringify({ names, told, late, label: answer.predictions[0].label, asked, keys, last: indexes.at(-1), codes, none }));
