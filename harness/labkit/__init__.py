"""What the graded tests stand on: private networks, programs, peers, captures, scoring."""
