"""Helpers of tests: real servers, platforms and processes, and what is asked of them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository's root."""
