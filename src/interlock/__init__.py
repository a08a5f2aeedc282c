"""Interlock: a tool call that a model proposes becomes a decided, durable, provable effect, or is refused."""
