"""The reference of every command, from the declarations themselves.

`python -m interlock.cli.reference > docs/reference/cli.md` writes the page; a test keeps it equal.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from interlock.cli.main import interlock
from interlock.cli.output import EXITS

COMMON = ("as_json", "settings_file")
"""Options of every command, which the page names once."""

_HEAD = """\
# The command line

Generated from the commands themselves by `python -m interlock.cli.reference`; do not edit.

Every command takes `--json` (one JSON document on the standard output and nothing else, an error too),
`--settings FILE` (else `INTERLOCK_CONFIG`, else the nearest `interlock.toml`, else the defaults) and `--help`.
It acts as the owner of the key in `INTERLOCK_KEY`, else of the one that `interlock login` kept. Times in JSON are
UTC. `NO_COLOR` turns colours off.

| exit code | meaning |
|---|---|
"""


def reference(root: click.Group) -> str:
    """The page, in Markdown."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in EXITS.items())
    return _HEAD + codes + "".join(_section(path, each) for path, each in commands(root))


def commands(group: click.Group, path: str = "interlock") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, itself left out, with the words that it is typed as."""
    for name in group.list_commands(click.Context(group)):
        each = group.commands[name]
        yield f"{path} {name}", each
        if isinstance(each, click.Group):
            yield from commands(each, f"{path} {name}")


def _section(path: str, each: click.Command) -> str:
    said = inspect.cleandoc(each.help or "")
    if isinstance(each, click.Group):
        return f"\n## {path}\n\n{said}\n"
    level = "##" if path.count(" ") == 1 else "###"
    usage = " ".join([path, "[OPTIONS]", *(_argument(one) for one in each.params if isinstance(one, click.Argument))])
    text = f"\n{level} {path}\n\n{said}\n\n```\n{usage}\n```\n"
    options = [one for one in each.params if isinstance(one, click.Option) and one.name not in COMMON]
    if options:
        text += "\n| option | meaning |\n|---|---|\n" + "".join(_option(one) for one in options)
    example = (each.epilog or "").partition("\n")[2].partition("\n")[2]
    return f"{text}\nExample:\n\n```\n{inspect.cleandoc(example)}\n```\n"


def _argument(argument: click.Argument) -> str:
    return argument.make_metavar(click.Context(click.Command("")))


def _option(option: click.Option) -> str:
    record = option.get_help_record(click.Context(click.Command("")))
    assert record is not None, "no option is hidden"
    names, meaning = (part.replace("|", "\\|") for part in record)
    return f"| `{names}` | {meaning} |\n"


if __name__ == "__main__":
    click.echo(reference(interlock), nl=False)
