"""Helpers of tests: real servers, platforms and processes."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository's root."""
