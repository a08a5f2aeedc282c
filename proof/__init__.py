"""Programs that prove something and print it: `python -m proof.crash` and its neighbours, each with `--help`."""
