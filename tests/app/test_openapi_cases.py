"""Requests made up from the OpenAPI document: no answer is a fault of ours, and every one is as documented.

By default it is a few cases, the same every time; `make fuzz` makes up some thousands, others each time.
"""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.schemas import BaseSchema

from app.main import create_app
from app.openapi import operations
from store.settings import Settings
from tests.app.colour_engine import ColourEngine
from tests.app.fuzzed_service import FuzzedService

TOTAL = int(os.environ.get("POUF_FUZZ_CASES", "0"))
FUZZING = TOTAL > 0
STEPS = 20
OPERATIONS = [(method.upper(), path) for path, method, _ in operations(create_app(Settings(), ColourEngine).openapi())]
CASES = max(3, TOTAL // len(OPERATIONS))
WALKS = max(3, CASES // 2)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedService]:
    made = FuzzedService(tmp_path_factory.mktemp("fuzzed"))
    yield made
    shutdown_lifespans()
    made.database.dispose()


@pytest.fixture(scope="module")
def document(service: FuzzedService) -> BaseSchema:
    return service.document()


BOUNDS = settings(
    max_examples=CASES,
    derandomize=not FUZZING,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if FUZZING else [])],
)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_answer_is_as_documented(service, document, method, path):
    if FUZZING:
        service.begin_anew()
    operation = document[path][method]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.query or operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    # not being ready is an answer that the operation is for
    excluded = [not_a_server_error] if path == "/health/ready" else []

    @BOUNDS
    @given(case=cases)
    def ask(case):
        case.call_and_validate(headers=service.headers, excluded_checks=excluded)

    ask()


def test_a_walk_along_the_links_is_as_documented(service, document):
    class Walk(document.as_state_machine()):
        def setup(self):
            # Where a walk may go on depends on the answers, and Hypothesis wants walks that begin alike to go on alike.
            service.begin_anew()

        def get_call_kwargs(self, case):
            return {"headers": service.headers}

        def step(self, input):
            output = super().step(input)
            if input.applied_parameters:
                service.links[output.response.status_code < 400] += 1
            return output

    Walk.run(settings=settings(BOUNDS, max_examples=WALKS, stateful_step_count=STEPS))
    assert service.links[True] >= WALKS


@pytest.mark.skipif(not FUZZING, reason="only `make fuzz` makes up many")
def test_as_many_cases_were_made_up_as_were_asked_for(service, capsys):
    with capsys.disabled():
        sys.stdout.write(f" {service.answers.total():,} answers: {dict(sorted(service.answers.items()))}; ")
        sys.stdout.write(f"{service.links.total():,} links followed, {service.links[True]:,} to a success ")
    assert service.answers.total() >= TOTAL
