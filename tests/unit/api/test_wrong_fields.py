"""A wrong value of any field of a request is answered in our own words."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cancellist import api
from cancellist.api.problems import fields_of

PYDANTIC = re.compile(
    r"Input should|should be|should have|should match|unable to|Value error|of the form that is wanted"
)
VALUES: tuple[Any, ...] = (
    {}, [], [[]], {"a": {}}, "", "zz " * 200, "nan", -1, 10**30, 1e300, 0.5, True, None, float("inf"),
    b"\xff", object(), ["a"] * 300, 99999999, 3.0,
)  # fmt: skip


def models() -> Iterator[type[BaseModel]]:
    """Every model that a request is checked by; those of answers are in `schemas`."""
    for module in pkgutil.iter_modules(api.__path__):
        if module.name == "schemas":
            continue
        for found in vars(importlib.import_module(f"cancellist.api.{module.name}")).values():
            if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__.endswith(module.name):
                yield found


FIELDS = [(model, name) for model in models() for name in model.model_fields]


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda one: getattr(one, "__name__", one))
def test_a_wrong_field_is_answered_in_our_own_words(model: type[BaseModel], name: str) -> None:
    alias = model.model_fields[name].alias or name
    for value in VALUES:
        try:
            model.model_validate({alias: value, "no_such_field": 1})
        except ValidationError as error:
            told = [one.message for one in fields_of(error.errors()).errors]
        else:
            continue
        assert told
        assert not [one for one in told if PYDANTIC.search(one) or "\n" in one], told
