"""The judge that a suite names, opened."""

from __future__ import annotations

from pathlib import Path

from interlock.compose import World
from interlock.errors import SettingsError
from interlock.evals.judge import Judge, Purse
from interlock.evals.suite import JudgedBy
from interlock.models.metered import Price
from interlock.private_files import read_secret
from interlock.settings import Settings
from interlock.sources.python import import_model
from interlock.verification.model_verifier import Reading

OWN = "python:"
"""How the name of a model of one's own begins."""


def open_judge(said: JudgedBy, settings: Settings, world: World) -> Judge:
    """The judge, with a purse of its own.

    Raises:
        SettingsError: The model, its key or its price is not acceptable.
        MissingExtra: A provider's model is named, and what speaks to providers is not installed.
    """
    if said.model.startswith(OWN):
        model = import_model(said.model.removeprefix(OWN), settings.folder)
        listed: Price | None = Price(0, 0)
    else:
        from interlock.models.pydantic_ai import list_price, open_model  # brings the providers' clients

        key = read_secret(settings.at(Path(said.key_file))) if said.key_file else ""
        model = open_model(said.model, key=key, base_url=said.base_url or None, output_max=said.tokens_max)
        listed = list_price(said.model)
    price = said.price or listed
    if price is None:
        raise SettingsError(f"judge.model: the price of {said.model!r} is not known", remedy="Say `price`.")
    reading = Reading(
        price=price, timeout_s=said.timeout_s, nonce=lambda: world.entropy(16).hex(),
        new_id=world.ids(), pause=world.pause,
    )  # fmt: skip
    return Judge(model, reading, Purse(said.micro_usd_max))
