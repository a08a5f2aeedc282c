"""The official conformance suite, at its reference server directly and through the gateway."""
