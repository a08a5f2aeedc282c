"""A ledger of 100,000 runs and 1,000 requests that wait: how fast it is paged, and followed."""
