"""The kill table: every known-wrong program against every graded test that judges it."""
