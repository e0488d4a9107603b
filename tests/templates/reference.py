"""Jinja2 with the settings of Hugging Face Transformers' `apply_chat_template`.

The reference that inshore's own interpreter is compared with. Needs `pip install jinja2`.
"""

import copy
import datetime
import functools
import json
import re

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

# Monday. `render_cases` has the same moment.
NOW = datetime.datetime(2026, 2, 2, 15, 4, 5, 678)


class Generation(jinja2.ext.Extension):
    """`{% generation %}`, which marks what the model wrote and changes no text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


class SafeDict:
    """`dict` as a function without attributes of its own."""

    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class SafeNamespace(jinja2.utils.Namespace):
    """A namespace without attributes that begin with an underscore."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            SafeNamespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        SafeNamespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    env.globals["dict"] = SafeDict()
    env.globals["namespace"] = SafeNamespace
    return env


ENVIRONMENT = environment()
compiled = functools.lru_cache(maxsize=100)(ENVIRONMENT.from_string)
# What Python prints for an object without a text of its own.
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")


def render(source, context):
    """`("text", str)`, `("error", str)`, or `("address", str)` where the text names a place in memory."""
    try:
        text = compiled(source).render(**copy.deepcopy(context))
        text.encode()
    except Exception as error:  # Whatever Jinja2 raises, inshore must raise too.
        return "error", f"{type(error).__name__}: {error}"
    if ADDRESS.search(text):
        return "address", text
    return "text", text
