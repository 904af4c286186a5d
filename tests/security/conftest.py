"""Stages, as acceptance tests have them."""

from tests.acceptance.conftest import valkey_stage

__all__ = ["valkey_stage"]
