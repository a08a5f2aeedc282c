"""Where the values of a call's arguments came from, without a model. Floor 2, pure; its door is `ground`.

It reads words, results and endorsements that others fold from the ledger. It decides nothing, asks nobody and never
changes a value: what it finds out is a `Provenance`, which rules read.
"""
