"""The suite as an autograder on Gradescope: packed into a zip, and run there."""
