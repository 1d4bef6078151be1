"""The course as it is handed out: to students (`release`), and to be graded by nbgrader (`grading`)."""
