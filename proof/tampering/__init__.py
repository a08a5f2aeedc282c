"""Every change of a ledger that spec/ledger.md lists is made to real ones, and `verify` is asked what it finds."""
