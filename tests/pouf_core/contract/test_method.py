"""Settings of a method: what resolves, what is contradictory, and what a refusal says."""

from __future__ import annotations

import pytest
import torch

from pouf_core.adaptation.resolving import resolve
from pouf_core.contract.method import MethodSpec, ResolvedMethod, parse_method
from pouf_core.contract.method_checks import method_problems
from pouf_core.errors import InvalidInput


def resolved(items: int = 24, **settings: object) -> ResolvedMethod:
    spec = MethodSpec.model_validate({"tune": "prompt", "class_prior": "uniform", **settings})
    cpu = torch.device("cpu")
    return resolve(
        spec,
        torch.full((3,), 1 / 3),
        item_count=items,
        kind="image",
        context_scale=0.05,
        device=cpu,
        threads=1,
        micro_batch_size=None,
    )


def test_parameters_resolve_for_the_transport_that_uses_them_alone() -> None:
    names = ["sinkhorn_regularization", "unbalanced_regularization", "unbalanced_marginal_penalty", "partial_mass"]
    expected = {
        "conditional": [None, None, None, None],
        "sinkhorn": [0.05, None, None, None],
        "emd": [None, None, None, None],
        "unbalanced": [None, 0.05, 1.0, None],
        "partial": [None, None, None, 0.8],
    }
    for name, values in expected.items():
        method = resolved(transport=name)
        assert [getattr(method, field) for field in names] == values
    assert resolved(transport="partial", partial_mass=0.5).partial_mass == 0.5


REFUSED = [
    ({"transport": "emd", "class_prior": "none"}, "class_prior_needed", "/method/class_prior", "uniform"),
    ({"transport": "sinkhorn", "class_prior": "none"}, "class_prior_needed", "/method/class_prior", "unbalanced"),
    ({"transport": "partial", "class_prior": "none"}, "class_prior_needed", "/method/class_prior", "conditional"),
    ({"partial_mass": 0.5}, "unused_parameter", "/method/partial_mass", "`partial`"),
    ({"transport": "emd", "partial_mass": 0.5}, "unused_parameter", "/method/partial_mass", "`partial`"),
    (
        {"transport": "unbalanced", "sinkhorn_regularization": 0.1},
        "unused_parameter",
        "/method/sinkhorn_regularization",
        "`sinkhorn`",
    ),
    (
        {"transport": "sinkhorn", "unbalanced_marginal_penalty": 1},
        "unused_parameter",
        "/method/unbalanced_marginal_penalty",
        "`unbalanced`",
    ),
    (
        {"transport": "sinkhorn", "unbalanced_regularization": 1},
        "unused_parameter",
        "/method/unbalanced_regularization",
        "`unbalanced`",
    ),
    ({"preset": "paper", "batch_size": 1}, "batch_too_small", "/method/batch_size", "at least 2"),
    ({"class_prior": "none", "batch_size": 1}, "batch_too_small", "/method/batch_size", "at least 2"),
    ({"class_prior": [1e308, 1e308, 1e308]}, "invalid_class_prior", "/method/class_prior", "sum to inf"),
    ({"class_prior": [1.0 - 1e-13, 1e-13, 1e-13]}, "invalid_class_prior", "/method/class_prior", "above 0"),
]


@pytest.mark.parametrize(("values", "code", "field", "allowed"), REFUSED)
def test_contradictions_are_refused_with_the_field_and_what_is_allowed(
    values: dict[str, object], code: str, field: str, allowed: str
) -> None:
    (problem,) = method_problems(parse_method(values), 3)
    assert (problem.code, problem.field) == (code, field)
    assert allowed in problem.message


@pytest.mark.parametrize(
    "values",
    [
        {"transport": "unbalanced", "class_prior": "none"},
        {"transport": "conditional", "class_prior": "none", "partial_mass": "auto"},
        {"transport": "partial", "partial_mass": 1},
        {"batch_size": 1},
        {"transport": "sinkhorn", "sinkhorn_regularization": 0.001, "class_prior": [0.5, 0.25, 0.25]},
    ],
)
def test_settings_that_agree_are_accepted(values: dict[str, object]) -> None:
    assert not method_problems(parse_method(values), 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("partial_mass", 0),
        ("partial_mass", 1.01),
        ("partial_mass", "all"),
        ("sinkhorn_regularization", 0.0005),
        ("unbalanced_regularization", 0),
        ("unbalanced_marginal_penalty", float("inf")),
        ("transport", "wasserstein"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_method({"transport": "partial", field: value})
    assert (caught.value.code, caught.value.field) == ("invalid_method", f"/method/{field}")


def test_one_item_is_no_batch_without_a_running_marginal() -> None:
    for values in ({"preset": "paper"}, {"class_prior": "none"}):
        with pytest.raises(InvalidInput) as caught:
            resolved(items=1, **values)
        assert (caught.value.code, caught.value.field) == ("batch_too_small", "/dataset_id")
    assert resolved(items=1).batch_size == 1
