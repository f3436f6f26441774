"""The pairs of programs that `make run` shows once and `make watch` starts to be typed into.

table.py has them, with a small play for each. Run: stage.py plays it, transcript.py writes
down who said what, run.py is the command. Watch: watch.py is the command, windows.py its
tmux, pane.py what runs in the server's and the client's window.
"""
