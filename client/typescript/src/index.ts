/**
 * A client of the POUF service: every call of its OpenAPI document, typed, by openapi-fetch; errors as exceptions; waiting
 * for what the service does in the background; and lists that walk all pages.
 */
import createClient, { type Client } from "openapi-fetch";
import type { Readable } from "openapi-typescript-helpers";
import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Dataset = Readable<Schemas["DatasetDocument"]>;
export type Job = Readable<Schemas["JobDocument"]>;
export type Model = Readable<Schemas["ModelDocument"]>;
export type Predictions = Readable<Schemas["PredictionListDocument"]>;
export type Pouf = Client<paths>;

export interface Options {
  /** The service, such as `http://127.0.0.1:8000`. */
  baseUrl: string;
  /** Sent as a bearer token, where the service asks for one. */
  apiKey?: string;
  /** In place of the runtime's own. */
  fetch?: (request: Request) => Promise<Response>;
  /** How often a request is sent again after a connection error or a passing refusal (429, 502–504, 409 in flight). */
  retries?: number;
}

const PASSING = [429, 502, 503, 504];
/** Of a 409: the first try with the same Idempotency-Key is still under way. */
const IN_FLIGHT = "idempotency_key_in_flight";
const TOO_LARGE = 413;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 60_000;
/** Of one request for predictions. */
const MOST_PICTURES = 64;
const MOST_BYTES = 16_000_000;

/** The service refused a request; the fields are those of its `application/problem+json` answer. */
export class PoufError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly errors: readonly { pointer: string; code: string; message: string }[] = [],
    readonly requestId?: string,
  ) {
    super(`${detail} (${status} ${code})`);
    this.name = "PoufError";
  }
}

/** A client whose calls are those of openapi-fetch, such as `pouf.GET("/v1/jobs/{job_id}", …)`; see `ok`. */
export function createPouf({ baseUrl, apiKey, fetch, retries = 4 }: Options): Pouf {
  return createClient<paths>({
    baseUrl: baseUrl.replace(/\/+$/, ""),
    headers: apiKey ? { Authorization: `Bearer ${apiKey}` } : {},
    Request: Remembering,
    fetch: (request: Request) => tried(request, fetch ?? globalThis.fetch, retries),
  });
}

/** The forms that requests were made with: a clone of such a request would keep all of their files in memory. */
const forms = new WeakMap<Request, FormData>();
const Remembering = new Proxy(globalThis.Request, {
  construct(Plain, [url, init]: [string, RequestInit?]) {
    const request = new Plain(url, init);
    if (init?.body instanceof FormData) forms.set(request, init.body);
    return request;
  },
});

/** The same request once more, whose body has not been read. */
function again(request: Request): Request {
  const body = forms.get(request);
  if (body === undefined) return request.clone();
  const headers = new Headers(request.headers);
  headers.delete("Content-Type"); // the boundary is another one
  return new Request(request, { headers, body });
}

async function passes(response: Response): Promise<boolean> {
  if (response.headers.get("x-should-retry") === "false") return false;
  if (response.status !== 409) return PASSING.includes(response.status);
  const problem: Partial<Schemas["Problem"]> = await response.clone().json().catch(() => ({}));
  return problem.code === IN_FLIGHT;
}

/** Sends a request, again after what passes: a POST has an Idempotency-Key that all its tries share. */
async function tried(request: Request, send: (request: Request) => Promise<Response>, retries: number): Promise<Response> {
  if (request.method === "POST" && !request.headers.has("Idempotency-Key")) {
    request.headers.set("Idempotency-Key", crypto.randomUUID());
  }
  for (let left = retries, pause = FIRST_PAUSE; ; left--, pause *= 2) {
    let wait = pause;
    try {
      const response = await send(left > 0 ? again(request) : request);
      if (left <= 0 || !(await passes(response))) return response;
      wait = 1000 * Number(response.headers.get("Retry-After")) || pause;
    } catch (error) {
      if (left <= 0 || request.signal.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(wait, LONGEST_PAUSE)));
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What the service answered; throws a `PoufError` where it refused. */
export async function ok<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const problem = (typeof error === "object" && error !== null ? error : {}) as Partial<Schemas["Problem"]>;
  const detail = problem.detail ?? `HTTP status ${response.status}`;
  throw new PoufError(response.status, problem.code ?? "unknown", detail, problem.errors ?? [], problem.request_id);
}

export interface Waiting<T> {
  /** Called with each state that is asked for. */
  onProgress?: (state: T) => void;
  /** Seconds to wait at most; as long as it takes where there is none. */
  timeout?: number;
}

/** The job when it has ended, however it ended; its `status` says how. */
export function waitForJob(pouf: Pouf, jobId: string, waiting: Waiting<Job> = {}): Promise<Job> {
  const path = { job_id: jobId };
  const read = (prefer: string) => ok(pouf.GET("/v1/jobs/{job_id}", { params: { path, header: { prefer } } }));
  return untilFinal(read, ["succeeded", "failed", "cancelled"], waiting);
}

/** The dataset when the service has read its files, or has failed to. */
export function waitForDataset(pouf: Pouf, datasetId: string, waiting: Waiting<Dataset> = {}): Promise<Dataset> {
  const path = { dataset_id: datasetId };
  const read = (prefer: string) => ok(pouf.GET("/v1/datasets/{dataset_id}", { params: { path, header: { prefer } } }));
  return untilFinal(read, ["ready", "failed"], waiting);
}

/** `read` is told how long the service may hold its answer back until the end is reached. */
async function untilFinal<T extends { id: string; status: string }>(
  read: (prefer: string) => Promise<T>,
  final: readonly string[],
  { onProgress, timeout = Infinity }: Waiting<T>,
): Promise<T> {
  const deadline = Date.now() + 1000 * timeout;
  for (;;) {
    const left = (deadline - Date.now()) / 1000;
    const state = await read(`wait=${Math.floor(Math.min(onProgress ? 1 : 30, Math.max(0, left)))}`);
    onProgress?.(state);
    if (final.includes(state.status)) return state;
    if (left <= 0) throw new Error(`${state.id} is still ${state.status} after ${timeout} s; it goes on.`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

interface Page<T> {
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

/**
 * Each element of a list, page after page. `page` asks for one of them, such as
 * `(cursor) => ok(pouf.GET("/v1/jobs", { params: { query: { cursor } } }))`.
 */
export async function* everyOne<T>(page: (cursor: string | null) => Promise<Page<T>>): AsyncGenerator<T> {
  let cursor: string | null = null;
  do {
    const found: Page<T> = await page(cursor);
    yield* found.data;
    cursor = found.has_more ? found.next_cursor : null;
  } while (cursor !== null);
}

/** Upload files as a new dataset; `modality` is `image`, `text`, `embedding` or `auto`. */
export async function createDataset(
  pouf: Pouf,
  files: readonly { name: string; content: Blob }[],
  fields: { name?: string; modality?: string } = {},
): Promise<Dataset> {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  for (const { name, content } of files) form.append("files", content, name);
  const headers = { "Idempotency-Key": crypto.randomUUID() };
  // The form is sent as it is: its fields are those that the schema names.
  const made = await ok(pouf.POST("/v1/datasets", { body: form as never, bodySerializer: (body) => body, headers }));
  if (made.object !== "dataset") throw new Error("The service answered with a dry run that nobody asked for.");
  return made;
}

/**
 * Classify pictures by a model, named by its id or an alias. Many go in several requests, smaller ones
 * where the service refuses them as too large; one model answers all, though the alias is moved meanwhile.
 *
 * A picture that cannot be used, such as one that is too large for any request, has an `error` in its prediction.
 * Throws a `PoufError` where none can be used, or the service refused for another reason.
 */
export async function predictPictures(pouf: Pouf, model: string, pictures: readonly Blob[]): Promise<Predictions> {
  if (pictures.length === 0) throw new Error("There is no picture to classify.");
  let found: Answers = { predictions: [] };
  for (const batch of batches(pictures)) {
    found = together(found, await predictSome(pouf, found.answer?.model_id ?? model, batch));
  }
  if (found.answer === undefined) throw found.refusal;
  return { ...found.answer, predictions: found.predictions.map((each, index) => ({ ...each, index })) };
}

/** Of some pictures: the last answer and the last refusal that was about pictures, and what they say of each. */
interface Answers {
  answer?: Predictions;
  refusal?: PoufError;
  predictions: Predictions["predictions"];
}

function together(first: Answers, second: Answers): Answers {
  return { ...first, ...second, predictions: [...first.predictions, ...second.predictions] };
}

async function predictSome(pouf: Pouf, model: string, pictures: readonly Blob[]): Promise<Answers> {
  const form = new FormData();
  form.append("model", model);
  for (const picture of pictures) form.append("image", picture, nameOf(picture));
  try {
    const answer = await ok(pouf.POST("/predict", { body: form as never, bodySerializer: (body) => body }));
    return { answer, predictions: answer.predictions };
  } catch (error) {
    if (!(error instanceof PoufError)) throw error;
    if (error.status === TOO_LARGE && pictures.length > 1) {
      const half = pictures.length >> 1;
      const first = await predictSome(pouf, model, pictures.slice(0, half));
      return together(first, await predictSome(pouf, first.answer?.model_id ?? model, pictures.slice(half)));
    }
    const reasons = refusedEach(error, pictures.length);
    return {
      refusal: error,
      predictions: pictures.map((picture, index) => ({ index, name: nameOf(picture), error: reasons[index] ?? null })),
    };
  }
}

function nameOf(picture: Blob): string {
  return picture instanceof File ? picture.name : "picture";
}

/** What a refusal says of each of `count` pictures; throws it where it is about something else. */
function refusedEach(refusal: PoufError, count: number): { code: string; message: string }[] {
  if (refusal.status === TOO_LARGE && count === 1) return [{ code: refusal.code, message: refusal.message }];
  const reasons = new Map(refusal.errors.map(({ pointer, code, message }) => [pointer, { code, message }]));
  return Array.from({ length: count }, (_, index) => {
    const reason = reasons.get(`/inputs/${index}`);
    if (reason === undefined || reasons.size !== count) throw refusal;
    return reason;
  });
}

function* batches(pictures: readonly Blob[]): Generator<Blob[]> {
  let batch: Blob[] = [];
  let size = 0;
  for (const picture of pictures) {
    if (batch.length === MOST_PICTURES || (batch.length > 0 && size + picture.size > MOST_BYTES)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(picture);
    size += picture.size;
  }
  if (batch.length > 0) yield batch;
}
