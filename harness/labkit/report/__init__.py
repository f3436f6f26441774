"""report.html: the results of a run on one page, with the ladder of each test's trace."""
