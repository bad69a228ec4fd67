"""The form for a new job, and what the base model says of a sample while somebody types."""

import math
import threading

import pytest
import torch

from app.pages.new_jobs import duration_in_words
from app.trials.service import SAMPLE_ITEMS
from pouf_core.families.interface import SharedEncoder
from pouf_core.families.registry import describe
from pouf_core.scoring import CosineClassifier
from store.tables import Dataset, DatasetItem, Job
from tests.app.colour_engine import COLOURS
from tests.waiting import WAIT_SECONDS

ITEMS = 26


class ColourBase:
    """A base model that classifies by the mean colour; a class is the colour that its wording names."""

    description = describe("pouf-lite")

    def __init__(self) -> None:
        self.encoded = 0
        self.asked: list[str] = []
        self.asking, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self._wordings: list[str] = []

    def encoder(self) -> SharedEncoder:
        return SharedEncoder("colour", self._encode)

    def _encode(self, images):
        self.encoded += len(images)
        return torch.tensor([image.resize((1, 1)).getpixel((0, 0)) for image in images]) / 255

    def prompted(self, request):
        self.asking.set()
        assert self.may_answer.wait(WAIT_SECONDS)
        self._wordings = [one.wording for one in request.classes]
        self.asked += self._wordings
        return self

    def zero_shot(self) -> CosineClassifier:
        rows = [[1.0 if colour in wording else 0.1 for colour in COLOURS] for wording in self._wordings]
        prototypes = torch.nn.functional.normalize(torch.tensor(rows), dim=1)
        return CosineClassifier(prototypes, torch.tensor(math.log(10.0)))


class ColourPool:
    """A pool with that base model under every name."""

    nbytes = 0

    def __init__(self) -> None:
        self.base = ColourBase()

    def get(self, spec, activation):
        return self.base

    def shrink(self, budget, may_go) -> None:
        return

    def touch(self, model) -> None:
        return


@pytest.fixture
def base(api, application) -> ColourBase:
    pool = ColourPool()
    application.state.pouf.engine.base_models._pool = pool
    return pool.base


@pytest.fixture
def dataset(rows, picture) -> str:
    """Pictures, the first half of which is red and the second blue."""
    dataset_id = rows.dataset(item_count=ITEMS)
    for number in range(ITEMS):
        rows.picture(dataset_id, picture("red" if number < ITEMS // 2 else "blue", size=(8, 8 + number)))
    return dataset_id


@pytest.fixture
def ask(api):
    """What is said of a dataset by class names."""

    def post(dataset_id: str, names: str, **fields: str) -> str:
        answer = api.post("/jobs/trial", data={"dataset_id": dataset_id, "class_names": names, **fields})
        assert answer.status_code == 200, answer.text
        return answer.text

    return post


def test_a_sample_spread_over_the_dataset_is_classified(ask, base, dataset):
    said = ask(dataset, "red\nblue")
    assert base.encoded == SAMPLE_ITEMS
    assert (said.count("<strong>red</strong>"), said.count("<strong>blue</strong>")) == (12, 12)
    assert said.count("/thumbnail") == SAMPLE_ITEMS


def test_only_new_wordings_are_encoded_again(ask, base, dataset):
    ask(dataset, "red\nblue")
    assert "<strong>sea</strong>" in ask(dataset, "red\nsea = something blue\ngreen")
    assert base.asked == ["red", "blue", "something blue", "green"]
    said = ask(dataset, "red\nblue", prompt_template="a {} thing\n\nan image of {}")
    assert base.asked[4:] == ["red", "blue"]
    assert "<q>a red thing</q>, <q>an image of red</q>" in said
    assert base.encoded == SAMPLE_ITEMS


def test_after_another_reading_the_new_items_are_tried(ask, base, dataset, database, rows, picture):
    ask(dataset, "red\nblue")
    with database.write() as session:
        session.query(DatasetItem).filter_by(dataset_id=dataset).delete()
        session.get_one(Dataset, dataset).fence += 1
    for number in range(2):
        rows.picture(dataset, picture("blue", size=(9, 40 + number)))
    said = ask(dataset, "red\nblue")
    assert (said.count("<strong>red</strong>"), said.count("<strong>blue</strong>")) == (0, 2)


def test_names_that_mean_nearly_the_same_are_noted(ask, base, dataset):
    assert "<strong>blue</strong> and <strong>blues</strong>" in ask(dataset, "red\nblue\nblues")


def test_predictions_do_not_wait_for_a_trial(ask, base, dataset, api, rows, picture):
    model = rows.model()
    base.may_answer.clear()
    trial = threading.Thread(target=ask, args=(dataset, "red\nblue"), daemon=True)
    trial.start()
    assert base.asking.wait(WAIT_SECONDS)
    answer = api.post(f"/v1/models/{model}/predict", files={"image": ("a.png", picture("red"))})
    was_running = trial.is_alive()
    base.may_answer.set()
    trial.join()
    assert (answer.status_code, was_running) == (200, True)


@pytest.mark.parametrize(
    ("names", "said"),
    [("red", "at least two class names"), ("red\nred", "repeats item 0"), ("\n".join(map(str, range(301))), "At most")],
)
def test_what_is_not_complete_yet_is_said_in_its_place(ask, base, dataset, names, said):
    assert said in ask(dataset, names)
    assert base.encoded == 0


def test_a_dataset_that_is_not_ready_is_not_tried(ask, base, rows):
    assert "ingesting" in ask(rows.dataset("ingesting"), "red\nblue")
    assert "no items" in ask(rows.dataset(), "red\nblue")


def test_names_are_quoted(ask, base, dataset):
    said = ask(dataset, "<b>red\n<b>reds\nblue") + ask(dataset, "<b>red")
    assert ("&lt;b&gt;red" in said, "<b>" in said) == (True, False)


def test_a_picture_that_has_gone_is_said_alone(ask, base, dataset, storage):
    storage.discard(f"datasets/{dataset}/blobs")
    assert ask(dataset, "red\nblue").count("not there any more") == SAMPLE_ITEMS


def test_templates_of_the_form_are_the_jobs(api, database, rows):
    form = {"dataset_id": rows.dataset(), "class_names": "cat, dog", "prompt_template": "a {}.\n the {} "}
    api.post("/jobs", data=form)
    with database.read() as session:
        assert session.query(Job).one().request.prompt_template == ["a {}.", "the {}"]


def test_what_a_quality_costs_is_told_by_earlier_jobs(api, rows):
    seen, other = rows.dataset(item_count=100), rows.dataset(item_count=1000)
    timings = {"loading_base": 2.0, "encoding": 3.0, "training": 1.0}
    rows.job("running", "succeeded", dataset_id=seen, timings=timings)
    rows.job("running", "succeeded", dataset_id=seen, timings={"encoding": 0.1})  # its items were encoded already
    rows.job("running", "succeeded", dataset_id=seen, timings={"encoding": 500.0}, base_model="minilm")
    page = api.get(f"/jobs/new?dataset={other}").text
    assert "Earlier jobs here took about 60 seconds for as many items." in page
    assert "Minutes, and longer" in page


def test_for_fewer_items_only_their_encoding_takes_less(api, rows):
    seen, other = rows.dataset(item_count=100), rows.dataset(item_count=10)
    timings = {"encoding": 10.0, "encoding_views": 10.0, "training": 5.0}
    rows.job("running", "succeeded", dataset_id=seen, timings=timings)
    assert "Earlier jobs here took about 7 seconds for as many items." in api.get(f"/jobs/new?dataset={other}").text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 second"), (59.6, "60 seconds"), (100, "2 minutes"), (7300, "2 hours")],
)
def test_durations_are_rounded(seconds, said):
    assert duration_in_words(seconds) == f"about {said}"


def test_a_model_is_to_be_served_under_the_name_of_the_dataset_in_plain_letters(api, rows):
    dataset = rows.dataset(name="Größe & Äpfel – " + 60 * "x")
    assert f'value="gro-e-apfel-{51 * "x"}"' in api.get(f"/jobs/new?dataset={dataset}").text
