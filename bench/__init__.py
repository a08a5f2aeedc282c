"""Interlock beside floors and peers, in one run. `make bench`; method and rows: bench/README.md."""
