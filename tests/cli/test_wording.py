import pytest

from cli.wording import option_of


@pytest.mark.parametrize(
    ("pointer", "option"),
    [
        ("/class_names/1", "--classes"),
        ("/method/tune", "--method tune"),
        ("/method", "--method"),
        ("type", "--method"),
        ("/prompt_template/0", "--prompt-template"),
        ("/limits/queued_jobs", "--queued-jobs"),
        ("/query/limit", "--limit"),
        ("/name", "name"),
        ("/inputs/3", None),
        ("", None),
    ],
)
def test_fields_are_called_as_the_options_that_fill_them(pointer, option):
    assert option_of(pointer) == option
