"""The command line. Floor 13: a door, and the only place that knows the terminal (click, rich).

`main.main` is what `interlock` runs; one file holds the commands of one noun. A command gathers a `Report`
and prints nothing itself: `command.py` turns the report into a page for a person or into one JSON document,
and into an exit code. A command acts as the principal of the key that is typed; nothing here decides.
"""
