"""One file for each candidate or family. It imports what it measures inside `open`: in the worker only."""
