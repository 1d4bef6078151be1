"""What authors, instructors and CI run: lint, execute, refresh, release, index; the `coursekit` command."""

import sys

# nbformat imports jsonschema, and jsonschema imports rfc3987_syntax where it finds it: a grammar that takes two seconds
# to build, for addresses that no notebook's schema asks to check. Without it every command starts much sooner.
sys.modules.setdefault("rfc3987_syntax", None)
