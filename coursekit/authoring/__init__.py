"""What authors, instructors and CI run: lint, execute, refresh, release, index; the `coursekit` command."""
