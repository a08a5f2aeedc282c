"""What may be told of a result. Floor 3, pure; its door is `screen`. It changes copies, never what executes."""
