"""Makes labkit importable (pytest puts this folder on sys.path) and loads its plugin."""

pytest_plugins = ["labkit.plugin"]
