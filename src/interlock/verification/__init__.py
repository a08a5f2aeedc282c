"""A second model's word on a call. Floor 5; its door is `verify`. It never allows what policy denies."""
