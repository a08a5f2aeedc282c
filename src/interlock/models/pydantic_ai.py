"""Every provider's models, over pydantic-ai's model layer and its `direct` interface: never its agent or its retries.

The only module that speaks to providers. What a provider says in an error is not repeated: it may quote the request.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock.core.address import check_url
from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer
from interlock.errors import MissingExtra, ModelError, ModelUnavailable, SettingsError
from interlock.models.metered import Price
from interlock.models.raw_arguments import anthropic_arguments, google_arguments

_NO_EXTRA = "models of providers need the extra 'llm'"
_REMEDY = "Run `pip install 'interlock[llm]'`."

try:
    import httpx2
    from genai_prices import Usage as Counted
    from genai_prices import calc_price
    from pydantic_ai import exceptions, messages
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.models import Model as Wire
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition
except ImportError:
    raise MissingExtra(_NO_EXTRA, remedy=_REMEDY) from None

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from pydantic_ai.providers import Provider

_TRY_S = 120.0  # seconds that one try may wait for the provider at most; whoever asks has a bound of their own

_BUSY = frozenset({408, 409, 429})
"""Statuses that say: not now. So does every one from 500 on."""

_NOT_READ = (AttributeError, TypeError, LookupError, ValueError, RecursionError)
"""What reading an answer of another form raises: the providers' clients do not check what they are sent."""

_FAILURES = (exceptions.AgentRunError, exceptions.UserError, httpx2.TransportError, *_NOT_READ)
"""What asking raises where no answer comes of it."""

_MILLION = 1_000_000

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: for a server that is spoken to in clear."""

Connect = Callable[[str, str, str, httpx2.AsyncClient], Wire]
"""A provider's model: its name, the key, the address, and what to send with."""

# Each brings its client's modules only where it is opened: they take a second, and of several one is used.


def _openai(speaks: Callable[[AsyncOpenAI], Provider[AsyncOpenAI]] | None = None) -> Connect:
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def connect(name: str, key: str, base_url: str, client: httpx2.AsyncClient) -> Wire:
        sdk = AsyncOpenAI(api_key=key, base_url=base_url, http_client=client, max_retries=0)
        return OpenAIChatModel(name, provider=speaks(sdk) if speaks else OpenAIProvider(openai_client=sdk))

    return connect


def _ollama() -> Connect:
    from pydantic_ai.providers.ollama import OllamaProvider

    return _openai(lambda sdk: OllamaProvider(openai_client=sdk))


def _vllm() -> Connect:
    from pydantic_ai.providers.vllm import VLLMProvider

    return _openai(lambda sdk: VLLMProvider(openai_client=sdk))


def _compatible() -> Connect:
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    return _openai(lambda sdk: OpenAICompatibleProvider("compatible", openai_client=sdk))


def _anthropic() -> Connect:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    def connect(name: str, key: str, base_url: str, client: httpx2.AsyncClient) -> Wire:
        sdk = AsyncAnthropic(api_key=key, base_url=base_url, http_client=client, max_retries=0)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=sdk))

    return connect


def _google() -> Connect:
    from google.genai.client import Client
    from google.genai.types import HttpOptions, HttpRetryOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    unused = {"verify": _NO_TLS, "ssl": _NO_TLS}  # of clients that it makes and nobody uses: else it reads certificates

    def connect(name: str, key: str, base_url: str, client: httpx2.AsyncClient) -> Wire:
        options = HttpOptions(
            base_url=base_url, httpx_async_client=client, client_args=unused, async_client_args=unused,
            timeout=int(_TRY_S * 1000), retry_options=HttpRetryOptions(attempts=1),
        )  # fmt: skip
        sdk = Client(vertexai=False, api_key=key, http_options=options)
        return GoogleModel(name, provider=GoogleProvider(client=sdk))

    return connect


class _Provider(NamedTuple):
    """How a provider is spoken to.

    Attributes:
        opened: Brings its client, and gives what makes its model.
        base_url: Its own address; None where it has none.
        keyed: Whether it wants a key there.
        raw: Arguments as they stand in an answer, where its client hands on only what it made of them.
    """

    opened: Callable[[], Connect]
    base_url: str | None
    keyed: bool = True
    raw: Callable[[bytes], list[str]] | None = None


_PROVIDERS = {
    "openai": _Provider(_openai, "https://api.openai.com/v1"),
    "anthropic": _Provider(_anthropic, "https://api.anthropic.com", raw=anthropic_arguments),
    "google": _Provider(_google, "https://generativelanguage.googleapis.com", raw=google_arguments),
    "ollama": _Provider(_ollama, "http://127.0.0.1:11434/v1", keyed=False),
    "vllm": _Provider(_vllm, "http://127.0.0.1:8000/v1", keyed=False),
    "compatible": _Provider(_compatible, None, keyed=False),
}


def open_model(name: str, *, key: str, base_url: str | None, output_max: int) -> ProviderModel:
    """The model of that name. Nothing is sent; reads the machine's certificates, so make it in a thread.

    Args:
        name: Provider and model, such as `openai:gpt-5-mini`, `anthropic:claude-sonnet-5`, `google:gemini-2.5-flash`,
            `ollama:qwen3:8b`, `vllm:Qwen/Qwen3-8B`; `compatible:…` for another server that speaks OpenAI's format.
        key: The provider's key; empty for a server of one's own that asks for none.
        base_url: Where the interface is served; None for the provider's own address, for Ollama and vLLM this machine.
        output_max: Tokens that one turn may have.

    Raises:
        SettingsError: No such provider, no key for it, no address, or one that a key would reach in clear.
    """
    provider, _, model = name.partition(":")
    if provider not in _PROVIDERS or not model:
        raise SettingsError(
            f"verify.model: {name!r} names no provider and model",
            remedy=f"Write it as provider:model; providers are {', '.join(sorted(_PROVIDERS))}.",
        )
    own = _PROVIDERS[provider]
    if not key and base_url is None and own.keyed:
        raise SettingsError(f"verify.key_file: {provider} needs a key", remedy="Put it into a file and name that.")
    address = base_url or own.base_url
    if address is None:
        raise SettingsError(f"verify.base_url: {provider} has no address of its own", remedy="Say where it is served.")
    check_url(address, "verify.base_url", in_clear=not key)
    return ProviderModel(name, key, address, output_max)


def list_price(name: str) -> Price | None:
    """What the provider charges for the model by the list that came with the extra; None where it is not on it.

    Where the price depends on the length of a turn, that of a very long one.
    """
    provider, _, model = name.partition(":")
    try:
        read, cached, written = (
            calc_price(Counted(input_tokens=_MILLION, **more), model, provider_id=provider)
            for more in ({}, {"cache_read_tokens": _MILLION}, {"output_tokens": _MILLION})
        )
    except LookupError:
        return None
    prices = (read.input_price, written.output_price, cached.input_price)
    return Price(*(int(price * _MILLION) for price in prices))


class ProviderModel:
    """A provider's model. It is a `Model`; its key is nowhere in what it says of itself.

    Attributes:
        name, output_max: See `Model`.
    """

    def __init__(self, name: str, key: str, base_url: str, output_max: int) -> None:
        self.name, self.output_max = name, output_max
        provider, _, self._model = name.partition(":")
        self._provider = _PROVIDERS[provider]
        self._connect = _clients(self._provider)
        self._key, self._base_url = key or "none", base_url
        self._settings = ModelSettings(max_tokens=output_max, max_retries=0)
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
        kept: list[bytes] = []

        async def keep(response: httpx2.Response) -> None:
            kept.append(await response.aread())

        async with self._client(keep if self._provider.raw is not None else None) as client:
            try:
                answer = await model_request(
                    self._wire(client), _sent(conversation), instrument=False,
                    **self._request(conversation, tools),
                )  # fmt: skip
                raw = self._provider.raw(kept[-1]) if self._provider.raw is not None and kept else []
            except _FAILURES as error:
                raise _failed(self.name, error) from None
        return _received(answer, tools, raw)

    async def stream(self, conversation: Sequence[Message], tools: Sequence[Offer]) -> AsyncIterator[str | Message]:
        """See `StreamingModel`: one try, as `reply`.

        Raises:
            ModelUnavailable: As for `reply`; the connection may also break in the middle.
            ModelError: As for `reply`, and where the stream ended before its message did: `model.stream_cut`.
        """
        async with self._client(None) as client:
            try:
                async with model_request_stream(
                    self._wire(client), _sent(conversation), instrument=False,
                    **self._request(conversation, tools),
                ) as events:  # fmt: skip
                    async for event in events:
                        if piece := _piece(event):
                            yield piece
                    answer = events.get()
            except _FAILURES as error:
                raise _failed(self.name, error) from None
        if not _ended(answer):
            raise ModelError(f"{self.name} broke off", code="model.stream_cut")
        yield _received(answer, tools, [])

    def _client(self, keep: Callable[[httpx2.Response], Awaitable[None]] | None) -> httpx2.AsyncClient:
        hooks = {} if keep is None else {"response": [keep]}
        return httpx2.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=_TRY_S, event_hooks=hooks
        )  # fmt: skip

    def _request(self, conversation: Sequence[Message], tools: Sequence[Offer]) -> dict[str, Any]:
        """With tools beside a conversation that has calls, which Anthropic insists on; none may be called then."""
        known = dict.fromkeys(call.tool for message in conversation for call in message.proposals if call.tool)
        if tools or not known:
            return {"model_settings": self._settings, "model_request_parameters": _offer(tools)}
        named = [Offer(name, "", {"type": "object", "properties": {}}) for name in known]
        return {
            "model_settings": {**self._settings, "tool_choice": "none"}, "model_request_parameters": _offer(named)
        }  # fmt: skip

    def _wire(self, client: httpx2.AsyncClient) -> Wire:
        return self._connect(self._model, self._key, self._base_url, client)


def _clients(provider: _Provider) -> Connect:
    try:
        return provider.opened()
    except ImportError:
        raise MissingExtra(_NO_EXTRA, remedy=_REMEDY) from None


def _offer(tools: Sequence[Offer]) -> ModelRequestParameters:
    return ModelRequestParameters(function_tools=[_offered(offer) for offer in tools])


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


def _piece(event: messages.ModelResponseStreamEvent) -> str:
    """The text that an event of a stream brings; of a call or of hidden reasoning, none."""
    if isinstance(event, messages.PartStartEvent) and isinstance(event.part, messages.TextPart):
        return event.part.content
    if isinstance(event, messages.PartDeltaEvent) and isinstance(event.delta, messages.TextPartDelta):
        return event.delta.content_delta
    return ""


def _received(answer: messages.ModelResponse, tools: Sequence[Offer], raw: Sequence[str]) -> Message:
    """The model's turn. Arguments stay as the provider gave them: text, or an object where it speaks in objects.

    Args:
        raw: The arguments as they stood in its answer, where they are known.
    """
    wire = {offer.name.replace(".", "_"): offer.name for offer in tools}
    texts = [part.content for part in answer.parts if isinstance(part, messages.TextPart)]
    calls = [part for part in answer.parts if isinstance(part, messages.ToolCallPart)]
    said = raw if len(raw) == len(calls) else [part.args or {} for part in calls]
    used = answer.usage
    counted = Usage(used.input_tokens, used.output_tokens, used.cache_read_tokens, used.output_reasoning_tokens)
    return Message(
        role=Role.MODEL,
        text="".join(texts),
        proposals=tuple(
            Proposal(tool=wire.get(part.tool_name, part.tool_name), arguments=arguments, id=part.tool_call_id)
            for part, arguments in zip(calls, said, strict=True)
        ),
        finish=_finish(answer),
        usage=counted if any(counted) else None,
    )


def _ended(answer: messages.ModelResponse) -> bool:
    """Whether the provider itself said why a stream ended; where it did not, the layer below says `stop` for it."""
    return bool((answer.provider_details or {}).get("finish_reason")) or answer.finish_reason == "content_filter"


def _finish(answer: messages.ModelResponse) -> Finish:
    if answer.finish_reason == "length" or answer.state != "complete":
        return Finish.TRUNCATED
    return Finish.WHOLE if answer.finish_reason in ("stop", "tool_call") else Finish.DECLINED


def _failed(name: str, error: Exception) -> ModelError:
    """What went wrong, by type and status alone."""
    if isinstance(error, exceptions.ModelHTTPError):
        status = error.status_code
        if status in _BUSY or status >= 500:
            return ModelUnavailable(
                f"{name} answered {status}", code="model.busy", turned_away=not error.in_stream,
                retry_after_s=error.retry_after,
            )  # fmt: skip
        return ModelError(f"{name} answered {status}", code="model.refused", turned_away=not error.in_stream)
    if isinstance(error, exceptions.ModelTimeoutError | exceptions.ModelRequestTimeout | httpx2.TimeoutException):
        return ModelUnavailable(f"{name} did not answer in time", code="model.timeout")
    if isinstance(error, exceptions.ModelConnectionError | httpx2.TransportError):
        return ModelUnavailable(f"{name} cannot be reached, or broke off", code="model.unreachable")
    return ModelError(f"{name} answered what cannot be read", code="model.malformed")
