"""Every provider's models, over pydantic-ai's model layer and its `direct` interface: never its agent or its retries.

The only module that speaks to providers. What a provider says in an error is not repeated: it may quote the request.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any

from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer
from interlock.errors import MissingExtra, ModelError, ModelUnavailable, SettingsError
from interlock.models.metered import Price

try:
    import httpx2
    from anthropic import AsyncAnthropic
    from genai_prices import Usage as Counted
    from genai_prices import calc_price
    from openai import AsyncOpenAI
    from pydantic_ai import exceptions, messages
    from pydantic_ai.direct import model_request
    from pydantic_ai.models import Model as Wire
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition
except ImportError:
    raise MissingExtra(
        "models of providers need the extra 'llm'", remedy="Run `pip install 'interlock[llm]'`."
    ) from None

_TRY_S = 120.0
"""Seconds that one try may wait for the provider at most; whoever asks has a bound of their own."""

_BUSY = frozenset({408, 409, 429})
"""Statuses that say: not now. So does every one from 500 on."""

_NOT_READ = (AttributeError, TypeError, LookupError, ValueError)
"""What reading an answer of another form raises: the providers' clients do not check what they are sent."""

_MILLION = 1_000_000

Connect = Callable[[str, str, str, httpx2.AsyncClient], Wire]
"""A provider's model: its name, the key, the address, and what to send with."""


def _openai(name: str, key: str, base_url: str, client: httpx2.AsyncClient) -> Wire:
    sdk = AsyncOpenAI(api_key=key, base_url=base_url, http_client=client, max_retries=0)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=sdk))


def _anthropic(name: str, key: str, base_url: str, client: httpx2.AsyncClient) -> Wire:
    sdk = AsyncAnthropic(api_key=key, base_url=base_url, http_client=client, max_retries=0)
    return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=sdk))


_PROVIDERS: dict[str, tuple[str, Connect]] = {
    "openai": ("https://api.openai.com/v1", _openai),
    "anthropic": ("https://api.anthropic.com", _anthropic),
}
"""Name to its own address and how it is spoken to."""


def open_model(name: str, *, key: str, base_url: str | None, output_max: int) -> ProviderModel:
    """The model of that name. Nothing is sent; reads the machine's certificates, so make it in a thread.

    Args:
        name: Provider and model, such as `openai:gpt-5-mini` or `anthropic:claude-sonnet-5`.
        key: The provider's key; empty for a server of one's own that asks for none.
        base_url: Where the interface is served; the provider's own address where None.
        output_max: Tokens that one turn may have.

    Raises:
        SettingsError: No such provider, or no key for it.
    """
    provider, _, model = name.partition(":")
    if provider not in _PROVIDERS or not model:
        raise SettingsError(
            f"verify.model: {name!r} names no provider and model",
            remedy=f"Write it as provider:model; providers are {', '.join(sorted(_PROVIDERS))}.",
        )
    own, _ = _PROVIDERS[provider]
    if not key and base_url is None:
        raise SettingsError(f"verify.key_file: {provider} needs a key", remedy="Put it into a file and name that.")
    return ProviderModel(name, key, base_url or own, output_max)


def list_price(name: str) -> Price | None:
    """What the provider charges for the model by the list that came with the extra; None where it is not on it.

    Where the price depends on the length of a turn, that of a very long one.
    """
    provider, _, model = name.partition(":")
    try:
        read = calc_price(Counted(input_tokens=_MILLION), model, provider_id=provider)
        written = calc_price(Counted(input_tokens=_MILLION, output_tokens=_MILLION), model, provider_id=provider)
    except LookupError:
        return None
    return Price(int(read.input_price * _MILLION), int(written.output_price * _MILLION))


class ProviderModel:
    """A provider's model. It is a `Model`; its key is nowhere in what it says of itself.

    Attributes:
        name, output_max: See `Model`.
    """

    def __init__(self, name: str, key: str, base_url: str, output_max: int) -> None:
        self.name, self.output_max = name, output_max
        self._key, self._base_url = key or "none", base_url
        self._tls = httpx2.create_ssl_context(trust_env=False) if base_url.startswith("https:") else _NO_TLS

    def __repr__(self) -> str:
        """Which model."""
        return f"ProviderModel({self.name!r})"

    async def reply(self, conversation: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """See `Model`. One try; each over a connection of its own, without redirects and without a proxy.

        Raises:
            ModelUnavailable: 408, 409, 429 or 5xx, no connection, or no answer in two minutes.
            ModelError: It was refused for another reason, or what came is no answer.
        """
        provider, _, model = self.name.partition(":")
        _, connect = _PROVIDERS[provider]
        wire = {offer.name.replace(".", "_"): offer.name for offer in tools}
        parameters = ModelRequestParameters(function_tools=[_offered(offer) for offer in tools])
        settings = ModelSettings(max_tokens=self.output_max, max_retries=0)
        async with httpx2.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=_TRY_S
        ) as client:  # fmt: skip
            try:
                answer = await model_request(
                    connect(model, self._key, self._base_url, client),
                    _sent(conversation),
                    model_settings=settings,
                    model_request_parameters=parameters,
                    instrument=False,
                )
            except (exceptions.AgentRunError, exceptions.UserError, httpx2.TransportError, *_NOT_READ) as error:
                raise _failed(self.name, error) from None
        return _received(answer, wire)


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: for a server that is spoken to in clear."""


def _offered(offer: Offer) -> ToolDefinition:
    return ToolDefinition(
        name=offer.name.replace(".", "_"), description=offer.description,
        parameters_json_schema=dict(offer.input_schema), strict=False,
    )  # fmt: skip


def _sent(conversation: Sequence[Message]) -> list[messages.ModelMessage]:
    """The conversation in pydantic-ai's parts: what stands between two turns of the model is one request."""
    found: list[messages.ModelMessage] = []
    waiting: list[messages.ModelRequestPart] = []
    proposed: dict[str, str] = {}
    for message in conversation:
        if message.role is not Role.MODEL:
            waiting.append(_part(message, proposed))
            continue
        if waiting:
            found.append(messages.ModelRequest(parts=waiting))
            waiting = []
        found.append(messages.ModelResponse(parts=_turn(message)))
        proposed |= {each.id: each.tool.replace(".", "_") for each in message.proposals}
    if waiting:
        found.append(messages.ModelRequest(parts=waiting))
    return found


def _part(message: Message, proposed: dict[str, str]) -> messages.ModelRequestPart:
    if message.role is Role.SYSTEM:
        return messages.SystemPromptPart(content=message.text)
    if message.role is Role.TOOL:
        return messages.ToolReturnPart(
            tool_name=proposed.get(message.answers, "unknown"), content=message.text, tool_call_id=message.answers
        )
    return messages.UserPromptPart(content=message.text)


def _turn(message: Message) -> list[messages.ModelResponsePart]:
    parts: list[messages.ModelResponsePart] = [messages.TextPart(content=message.text)] if message.text else []
    for proposal in message.proposals:
        arguments = proposal.arguments
        parts.append(
            messages.ToolCallPart(
                tool_name=proposal.tool.replace(".", "_"),
                args=arguments if isinstance(arguments, str) else dict(arguments),
                tool_call_id=proposal.id,
            )
        )
    return parts


def _received(answer: messages.ModelResponse, wire: dict[str, str]) -> Message:
    """The model's turn. Arguments stay as the provider gave them: text, or an object where it speaks in objects."""
    texts = [part.content for part in answer.parts if isinstance(part, messages.TextPart)]
    calls = [part for part in answer.parts if isinstance(part, messages.ToolCallPart)]
    used = answer.usage
    counted = Usage(used.input_tokens, used.output_tokens)
    return Message(
        role=Role.MODEL,
        text="".join(texts),
        proposals=tuple(
            Proposal(
                tool=wire.get(part.tool_name, part.tool_name), arguments=_arguments(part.args), id=part.tool_call_id
            )
            for part in calls
        ),
        finish=_finish(answer),
        usage=counted if any(counted) else None,
    )


def _arguments(given: Any) -> Any:
    return "" if given is None else given


def _finish(answer: messages.ModelResponse) -> Finish:
    if answer.finish_reason == "length" or answer.state != "complete":
        return Finish.TRUNCATED
    return Finish.DECLINED if answer.finish_reason in ("content_filter", "error") else Finish.WHOLE


def _failed(name: str, error: Exception) -> ModelError:
    """What went wrong, by type and status alone."""
    if isinstance(error, exceptions.ModelHTTPError):
        status = error.status_code
        if status in _BUSY or status >= 500:
            return ModelUnavailable(
                f"{name} answered {status}", code="model.busy", turned_away=True, retry_after_s=error.retry_after
            )
        return ModelError(f"{name} answered {status}", code="model.refused", turned_away=True)
    if isinstance(error, exceptions.ModelTimeoutError | exceptions.ModelRequestTimeout | httpx2.TimeoutException):
        return ModelUnavailable(f"{name} did not answer in time", code="model.timeout")
    if isinstance(error, exceptions.ModelConnectionError | httpx2.TransportError):
        return ModelUnavailable(f"{name} cannot be reached, or broke off", code="model.unreachable")
    return ModelError(f"{name} answered what cannot be read", code="model.malformed")
