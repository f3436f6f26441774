"""What a student starts from: a lab whose steps are still to be written.

marks.py finds the steps in a lab's sources, handout.py what the handout says of them,
sources.py puts the two together, command.py is `harness/starter`.
"""
