"""Interlock beside floors and peers, in one run. `make bench`; method and rows: bench/README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
