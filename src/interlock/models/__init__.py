"""Models: what proposes calls. Floor 4. What a model says is text from an untrusted source, always."""
