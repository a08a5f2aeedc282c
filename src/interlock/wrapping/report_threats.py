"""The threats that Interlock knows by number, and how this deployment stands to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from interlock.wrapping.report_part import Grounds, Table
from interlock.wrapping.report_roles import four_eyes
from interlock.wrapping.report_settings import secrets_in_clear


class Defence(NamedTuple):
    """How a deployment stands to one threat.

    Attributes:
        state: `on`, `partly`, `off`, `no such door` (nothing here can be reached that way), `out of reach` (no gateway
            can see it).
        says: What stands, and what does not.
        do: What turns on what is off; empty where nothing is.
    """

    state: str
    says: str
    do: str = ""


_SEALING: Final = frozenset({"sealing", "signing key"})

Stand = Callable[[Grounds], Defence]


def _console(grounds: Grounds) -> Defence:
    if not grounds.site.settings.console.on:
        return Defence("no such door", "the console is off ([console])")
    return Defence("on", "texts of others are no markup, no script runs but its own, a form is its session's")


def _on(says: str) -> Stand:
    return lambda _: Defence("on", says)


def _origins(what: str) -> Stand:
    """Of a threat that is met by where argument values come from: on where a rule reads it."""

    def stand(grounds: Grounds) -> Defence:
        rules = () if grounds.policy is None else grounds.policy.rules
        reading = [rule.rule_id for rule in rules if "context.provenance" in rule.text]
        bare = sorted(tool.name for tool in grounds.site.tools if tool.writes and not tool.roles)
        if not reading:
            do = "Write rules over `context.provenance`, and say the `roles` of arguments."
            return Defence("off", f"no rule reads where values come from; {what}", do)
        if bare:
            says = f"rules read where values come from ({', '.join(reading[:3])}); {len(bare)} writes have no roles"
            return Defence("partly", says, "Say the `roles` of their arguments.")
        return Defence("on", f"rules read where values come from ({', '.join(reading[:3])})")

    return stand


def _carried_out(grounds: Grounds) -> Defence:
    """Of data carried out by what only reads: judged by origins on the way in, made harmless on the way back."""
    origins = _origins("outward reads run like any read")(grounds)
    if open_ := _told_as_it_is(grounds, "content"):
        return Defence("partly" if origins.state == "on" else origins.state, f"{origins.says}; {open_}",
                       f"{origins.do} Screen `content`.".strip())  # fmt: skip
    return Defence(origins.state, f"{origins.says}; pictures and links that load by themselves do nothing", origins.do)


def _characters(grounds: Grounds) -> Defence:
    says = "taken out of definitions and lists, shown as escapes to people"
    if open_ := _told_as_it_is(grounds, "characters"):
        return Defence("partly", f"{says}; {open_}", 'Set characters = "redact" under [screening].')
    return Defence("on", f"{says}, and taken out of results")


def _told_as_it_is(grounds: Grounds, what: str) -> str:
    """Where results are told with it; empty where none are."""
    said = grounds.site.settings.screening
    if getattr(said, what) in ("off", "flag"):
        return f"results are told with their {what}"
    open_ = [name for each in said.tools if getattr(each, what) in ("off", "flag") for name in each.tools]
    return f"results of {_names(open_)} are told with their {what}" if open_ else ""


def _poisoning(grounds: Grounds) -> Defence:
    trusted = [said.name for said in grounds.site.settings.servers if said.trust]
    says = "a definition counts as accepted by its digest, byte by byte; any other is withheld, with the difference"
    if trusted:
        return Defence(
            "partly", f"{says}; the first list of {_names(trusted)} was trusted unseen", "Take `trust` away."
        )
    return Defence("on", says)


def _shadowing(grounds: Grounds) -> Defence:
    bare = [said.name for said in grounds.site.settings.servers if said.prefix == ""]
    says = "names that are taken or look alike are set aside; tools bear their server's name"
    if len(bare) > 1:
        return Defence("partly", f"{says}, but not those of {_names(bare)}", "Take `prefix` away.")
    return Defence("on", says)


def _audience(grounds: Grounds) -> Defence:
    if grounds.site.settings.gateway.oauth is None:
        return Defence("on", "keys alone are let in; no token of a client is ever passed on")
    return Defence("on", "issuer and audience of tokens must be exactly the settings'; none is ever passed on")


def _logins(grounds: Grounds) -> Defence:
    if not any(said.oauth is not None for said in grounds.site.settings.servers):
        return Defence("no such door", "no server behind wants a login")
    return Defence("on", "the issuer is the operator's; a login counts in the browser that began it, once, with PKCE")


def _requests_out(grounds: Grounds) -> Defence:
    own = [said.name for said in grounds.site.settings.servers if said.command]
    says = "what Interlock sends goes to the address that was checked; private ones need `reach`; nothing is redirected"
    if own:
        return Defence("partly", f"{says}; but {_names(own)} are processes that dial by themselves",
                       "Start them where they have no network but what they need.")  # fmt: skip
    return Defence("on", says)


def _services(grounds: Grounds) -> Defence:
    if not grounds.site.settings.services:
        return Defence("no such door", "no service by a document of OpenAPI")
    return Defence("on", "each value is encoded by its place, and the path sent is held against its template")


def _commands(grounds: Grounds) -> Defence:
    said = [each for each in grounds.site.settings.servers if each.command]
    if not said:
        return Defence("no such door", "no server is started by a command")
    trusted = [each.name for each in said if each.trust and not each.command_digest]
    says = "commands come from the operator's file, are started by no shell, and only with the digest that was reviewed"
    if trusted:
        return Defence("partly", f"{says}; {_names(trusted)} are trusted unseen", "Run `interlock servers accept`.")
    return Defence("on", says)


def _keys(grounds: Grounds) -> Defence:
    said = grounds.site.settings.gateway
    says = "every route needs a key or a token, and nobody's is nobody"
    if said.local is not None:
        return Defence("partly", f"{says}; on this machine anybody is {said.local.id!r}", "Remove [gateway.local].")
    return Defence("on", says)


def _approvers(grounds: Grounds) -> Defence:
    says = "nobody answers their own calls; services and clients never do"
    if four_eyes(grounds).rows:
        return Defence("partly", f"{says}; see «Where four eyes are two, or none»", "Do what stands there.")
    return Defence("on", says)


def _sealed(grounds: Grounds) -> Defence:
    settings = grounds.site.settings
    if settings.ledger is None or not settings.seal.on:
        return Defence("off", "nothing is sealed", "Name a `ledger`, and set on = true under [seal].")
    weak = sorted((each.says, each.do) for each in grounds.findings if each.check in _SEALING and each.do)
    if weak:
        return Defence("partly", "; ".join(["sealed and chained", *(says for says, _ in weak)]),
                       " ".join(do for _, do in weak))  # fmt: skip
    return Defence("on", "sealed, chained and signed, with heads kept elsewhere")


def _lost(grounds: Grounds) -> Defence:
    if grounds.site.settings.ledger is None:
        return Defence("off", "nothing outlives the process", "Name a file as `ledger`.")
    return Defence(
        "on", "an intent is committed before the first byte leaves; what may have been done is never repeated"
    )


def _budgets(grounds: Grounds) -> Defence:
    said = grounds.site.settings.limits
    if not (said.budgets or said.rates):
        return Defence("partly", "single runs are bounded, and nothing that runs share", "Say [[limits.budgets]].")
    return Defence("on", f"{len(said.budgets)} budgets and {len(said.rates)} rates, counted where calls are committed")


def _secrets(grounds: Grounds) -> Defence:
    says = "secrets of servers stand in files of mode 0600 and are taken out of answers; keys are hashed"
    if secrets_in_clear(grounds.site.settings):
        return Defence("partly", f"{says}; some stand in the settings in clear", "See «Secrets in clear».")
    if open_ := _told_as_it_is(grounds, "secrets"):
        return Defence("partly", f"{says}; {open_}", 'Set secrets = "redact" under [screening].')
    return Defence("on", says)


def _second_reader(grounds: Grounds) -> Defence:
    if grounds.site.settings.verify.model is None:
        return Defence("no such door", "no model reads calls")
    return Defence("on", "its verdict is a form with a nonce and the digest; anything else is no approval")


def _asking(grounds: Grounds) -> Defence:
    allowed = {said.name: said.allow for said in grounds.site.settings.servers if said.allow}
    if allowed:
        says = "; ".join(f"{name} may ask for {_names(what)}" for name, what in sorted(allowed.items()))
        return Defence("partly", says, "Take out of `allow` what is not needed.")
    return Defence("on", "no server may ask the client anything")


def _beyond(grounds: Grounds) -> Defence:
    return Defence(
        "out of reach", "what a server does besides, with what it was rightly given, no gateway sees",
        "Pin its version, and start it where it reaches no more than it needs.",
    )  # fmt: skip


def _partly(says: str, do: str) -> Stand:
    return lambda _: Defence("partly", says, do)


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


THREATS: Final[tuple[tuple[str, str, Stand], ...]] = (
    ("T1", "a result's text changes a recipient or command", _origins("what a result says can become an argument")),
    ("T2", "the same, encoded or split", _origins("encodings are not looked through")),
    ("T3", "a planted record", _origins("a record counts like any text")),
    ("T4", "data carried out by what only reads", _carried_out),
    ("T5", "untrusted text, private data and a way out in one run", _origins("what a run has seen binds nothing")),
    ("T6", "instructions in a definition", _poisoning),
    ("T7", "a definition changes after it was reviewed", _on("a call carries the digest that was accepted")),
    ("T8", "names that shadow or look alike", _shadowing),
    ("T9", "characters that nobody sees", _characters),
    ("T10", "annotations that lie", _on("what a server says can only make a tool graver")),
    ("T11", "a token for somebody else", _audience),
    ("T12", "a login that another browser began", _logins),
    ("T13", "headers that say something else than the body", _on("they must agree, and JSON is read strictly, once")),
    ("T14", "answers to the wrong client", _on("each request has its own objects; ids are the caller's own")),
    ("T15", "a handle that is stolen or used again", _on("sealed, bound to principal and digest, single use")),
    ("T16", "another page or host speaks to the door", _on("Host and Origin are exact on every bind")),
    ("T17", "requests to the inside", _requests_out),
    ("T18", "arguments that leave their place in a request", _services),
    ("T19", "a command in a configuration", _commands),
    ("T20", "a route without a key", _keys),
    ("T21", "arguments that are options of a program", _partly(
        "only what a tool's own schema says", "Bound such parameters by a pattern, and give them the role `command`.")),
    ("T22", "paths out of their folder", _partly(
        "servers keep to their own roots; paths are text to Interlock", "Write rules over the argument; name roots.")),
    ("T23", "an approval used for something else", _on("bound to the digest, single use, decided again on running")),
    ("T24", "answering for oneself", _approvers),
    ("T25", "a page of the console that runs what it shows", _console),
    ("T26", "people worn out by questions", _on("at most 20 calls of a run wait for people")),
    ("T27", "a ledger that is changed", _sealed),
    ("T28", "a crash that loses or doubles an effect", _lost),
    ("T29", "budgets passed side by side", _budgets),
    ("T30", "answers without an end", _on("bytes, depth, time and ratio are bounded while they stream")),
    ("T31", "patterns and schemas that never end", _on("linear patterns, bounded schemas, nothing is fetched")),
    ("T32", "secrets in texts", _secrets),
    ("T33", "a second reader that is talked to", _second_reader),
    ("T34", "a policy that says something else than was meant", _on("unknown keys and types refuse to load")),
    ("T35", "tenants that see each other", _on("the tenant is part of every key")),
    ("T36", "a server that asks the user", _asking),
    ("T37", "floods of notifications", _on("bounded, and only the newest is kept")),
    ("T38", "clocks that are set", _on("order is by number, and both clocks must agree")),
    ("T39", "messages of agents that hide where they come from", _origins("an agent's message counts like any text")),
    ("T40", "a server that does more than it says", _beyond),
    ("T41", "results that say what to do", _on("an outcome is typed; no text makes a call run again")),
    ("T42", "two readings of the same bytes", _on("what was checked is what is sent, in one canonical form")),
    ("T43", "caches that several share", _on("private, by principal, server and definition")),
    ("T44", "a client that answers for its user", _on("a client's answer is never an approval")),
    ("T45", "lists without an end", _on("counted, cut, and set aside by themselves")),
)  # fmt: skip
"""Number, what happens, and how a deployment stands to it."""


def threats(grounds: Grounds) -> Table:
    """Every threat with its defence here."""
    stands = [(number, what, *stand(grounds)) for number, what, stand in THREATS]
    says = "«on» is said of code that tests hold and of what this deployment has switched on."
    return Table(
        "threats", "Threats and defences", ("threat", "what", "defence", "says", "what to do"), tuple(stands), says
    )
