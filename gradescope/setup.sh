#!/bin/sh
# Gradescope runs this once, as root, when it makes the autograder's image from the zip.
set -eu
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
find . -name '*.sh' -exec chmod +x {} +
chmod +x run_autograder harness/command harness/grade harness/python harness/setup
harness/setup grade
for part in labcap labwire labbox; do
    make -s -C "harness/$part"
done
