"""The own tools of the deployment that is looked through."""

from __future__ import annotations

import logging
import os
from typing import Any

import interlock
from interlock.errors import NotSent, Rejected
from proof.canaries.forms import said

ALLOWED = {"key": "env://CANARY_*"}


@interlock.tool(effect="read", secrets=ALLOWED, cache_s=60, attempts_max=1)
async def own(key: str, form: str, way: str, context: interlock.CallContext) -> dict[str, Any]:
    """Repeat a secret.

    Args:
        key: The secret.
        form: In which form.
        way: By which way.
    """
    texts = said(form, key)
    match way:
        case "error":
            raise Rejected(" ".join(texts), reason=texts[0], said={"parts": texts})
        case "raised":
            error = NotSent(f"{'x' * 1950} {texts[0]}")
            error.add_note(texts[-1])
            raise error
        case "aside":
            for number, text in enumerate(texts):
                context.progress(number, message=text)
                logging.getLogger("own").warning("asked with %s", text)
            try:
                raise KeyError(*texts)
            except KeyError:
                logging.getLogger("own").exception("and failed")
    return {"parts": [{"type": "text", "text": text} for text in texts], texts[0]: "a key", "way": way}


@interlock.tool(effect="reversible", secrets=ALLOWED)
async def held(key: str, form: str) -> str:
    """Do something that a person must approve.

    Args:
        key: The secret.
        form: In which form it is repeated.
    """
    return " ".join(said(form, key))


@interlock.tool(effect="read", cache_s=60)
async def leak(form: str) -> list[str]:
    """Tell a secret that was not given by reference, so that nothing can know it: what is to be found everywhere.

    Args:
        form: In which form.
    """
    texts = said(form, os.environ["LEAKED"])
    for text in texts:
        logging.getLogger("own").warning("leaked %s", text)
    return texts
