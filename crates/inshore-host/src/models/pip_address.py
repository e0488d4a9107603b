"""Prints where the index keeps a wheel, without fetching it: {"url": ..., "sha256": ...}.

pip has no command for it (`install --dry-run` fetches the whole wheel from an index without separate metadata), so this
asks its finder, which knows the user's index, proxy and credentials. The names are pip's own and may change: whoever
runs this goes on with `pip download` if it fails.
"""
import json
import sys

from pip._internal.commands import create_command
from pip._vendor.packaging.specifiers import SpecifierSet

name, version = sys.argv[1].split("==")
command = create_command("download")
options, _ = command.parse_args(["--no-deps", "--only-binary=:all:", "--quiet", "--no-input", name])
with command.main_context():
    finder = command._build_package_finder(options, command.get_default_session(options))
    link = finder.find_best_candidate(name, SpecifierSet("==" + version)).best_candidate.link
print(json.dumps({"url": link.url_without_fragment, "sha256": link.hash if link.hash_name == "sha256" else None}))
