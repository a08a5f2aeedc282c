"""Where tools come from. Floor 8. A source makes `Tool`s; it never runs one."""
