"""`python -m coursekit` is the `coursekit` command."""

from coursekit.authoring.cli import main

raise SystemExit(main())
