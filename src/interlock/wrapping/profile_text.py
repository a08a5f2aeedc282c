"""Drafts of trust profiles as the file of one server, for a person to read and set `reviewed`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from interlock.core.visible import one_line
from interlock.registry.profile_draft import Draft
from interlock.wrapping.written import quoted_key, toml

_HEAD: Final = """\
# Trust profile of {server}: a draft from names, schemas and results that were recorded. Nobody has read it.
#
# A tool counts as one without a profile until `reviewed = true` stands at it. Read its roles first: `target` is whom or
# what a call acts on, `content` may come from anywhere. An argument that you leave out is a target.
# What each word means: docs/how-to/trust-values.md.
"""

_GLOB: Final = frozenset("*?[]/")
_NAME_MAX: Final = 512
_PHRASE_MAX: Final = 200


def profile_text(server: str, drafts: Mapping[str, Draft]) -> str:
    """The whole file.

    Args:
        server: The operator's name of it.
        drafts: Tool, as its server calls it, to what is proposed. The names are untrusted.
    """
    lines = [_HEAD.format(server=one_line(server)), f"server = {toml(server)}"]
    for name, draft in drafts.items():
        lines += ["", *_tool(f"tools.{quoted_key(name)}", draft)]
    return "\n".join([*lines, ""])


def _tool(place: str, draft: Draft) -> Iterator[str]:
    profile = draft.profile
    yield f"[{place}]  # probably {draft.effect.effect.value}: {one_line(draft.effect.why)}"
    yield "reviewed = false"
    if profile.form:
        yield f"form = {toml(profile.form)}"
    if phrases := [phrase for phrase in profile.phrases if len(phrase) <= _PHRASE_MAX]:
        yield f"phrases = {toml(phrases)}"
    roles = {name: role for name, role in profile.roles.items() if _plain(name)}
    if roles:
        yield f"[{place}.roles]"
        yield from (
            f"{quoted_key(name)} = {toml(role)}  # {one_line(draft.why.get(name, ''))}" for name, role in roles.items()
        )
    if len(roles) < len(profile.roles):
        yield "# Names that would stand for other arguments too are left out: those are targets."
    shapes = {name: shape for name, shape in profile.shapes.items() if name in roles}
    if shapes:
        yield f"[{place}.shapes]"
        yield from (f"{quoted_key(name)} = {toml(shape)}" for name, shape in shapes.items())
    if profile.fields:
        yield f"[{place}.fields]  # every value that was seen there is one; keep what is the server's own word"
        yield from (f"{quoted_key(rule.glob)} = {toml(rule.shape)}" for rule in profile.fields)


def _plain(name: str) -> bool:
    return 0 < len(name) <= _NAME_MAX and _GLOB.isdisjoint(name)
