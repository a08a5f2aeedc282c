"""The console: pages for whoever operates, approves and audits. Floor: below the command line, above the API.

Door: `application.py: application`. A page is made on the server and works without a script; what it shows of others
is text and never markup. It changes nothing but by what the plane offers to everybody.
"""
