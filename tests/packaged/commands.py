"""Every `kustlake ...` command that the files have."""

import ast
import datetime
import json
import re
import shlex
import tempfile

from common import CONTAINERFILE, CRON, DAG, KUBERNETES, OPERATIONS, RELEASE, check, files, run, short, told


def statements(text):
    """The simple commands of a line of shell, each as its words; redirections and comments left out."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    words, skip = [], False
    for word in lexer:
        if word and set(word) <= set(";&|()"):
            yield words
            words, skip = [], False
        elif word and set(word) <= set("<>&"):
            # What stands before may be the number of a stream.
            if words and words[-1].isdigit():
                words.pop()
            skip = True
        elif skip:
            skip = False
        else:
            words.append(word)
    yield words


def kustlake(words):
    """The words of a kustlake command, by whichever path and after `exec`; nothing otherwise."""
    words = words[1:] if words[:1] == ["exec"] else words
    return ["kustlake", *words[1:]] if len(words) > 1 and words[0] in ("kustlake", "/usr/local/bin/kustlake") else None


def in_shell(text):
    """The kustlake commands of a line of shell."""
    return [argv for words in statements(text) if (argv := kustlake(words))]


def in_backticks(text):
    """The kustlake commands that a line of prose quotes."""
    return [argv for quoted in re.findall(r"`(kustlake [^`]+)`", text) for argv in in_shell(quoted)]


def in_markdown(text):
    """Blocks of shell, and what prose quotes."""
    language = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            language = None if language is not None else line[3:].strip()
        elif language is None:
            yield from ((number, argv) for argv in in_backticks(line))
        elif language == "sh":
            yield from ((number, argv) for argv in in_shell(line))


def in_python(text):
    """Strings that begin with kustlake; names in braces are constants of the module."""
    tree = ast.parse(text)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(constants[one.value.id] if isinstance(one, ast.FormattedValue) else one.value) for one in node.values]
            yield from ((node.lineno, argv) for argv in in_shell("".join(parts)))


def in_other(path, text):
    """Units, manifests, cron tables and the Containerfile."""
    for number, line in enumerate(text.splitlines(), 1):
        quoted = in_backticks(line)
        if line.startswith("ExecStart="):
            quoted += in_shell(line.removeprefix("ExecStart="))
        elif path == CRON and re.match(r"[\d*@]", line):
            quoted += in_shell(line.split(None, 6)[6])
        # On one line, so that no YAML parser is needed here.
        elif words := re.match(r"\s*(?:args:|CMD) (\[.*\])$", line):
            quoted.append(["kustlake", *json.loads(words[1])])
        yield from ((number, argv) for argv in quoted)


def commands():
    """Every kustlake command of the files, with its place."""
    for path in files():
        text = path.read_text()
        found = in_markdown(text) if path.suffix == ".md" else in_other(path, text)
        for number, argv in found:
            yield {"file": short(path), "line": number, "argv": argv}
        if path.suffix == ".py":
            for number, argv in in_python(text):
                yield {"file": short(path), "line": number, "argv": argv}


def check_commands(collected, binary):
    """That each file has the commands it is for, and that a kustlake understands them all."""
    expected = {
        short(CRON): {"run", "maintain"},
        short(DAG): {"run", "maintain"},
        short(KUBERNETES): {"run", "maintain"},
        "packaging/systemd/kustlake.service": {"run"},
        "packaging/systemd/kustlake-maintain.service": {"maintain"},
        short(OPERATIONS): {"init", "check", "plan", "run", "backfill", "status", "maintain", "verify", "state"},
        short(RELEASE): {"completions"},
        short(CONTAINERFILE): {"help"},
    }
    found = {}
    for one in collected:
        found.setdefault(one["file"], set()).update(one["argv"])
    missing = [f"{file}: no `kustlake {word}`" for file, words in expected.items() for word in words - found.get(file, set())]
    check(f"{len(collected)} commands are collected, from each file those it is for", "own", missing)
    if binary is None or not binary.exists():
        told("not checked", "that the program parses these commands: no kustlake; feed standard output to its parser", "-")
        return
    problems, asked = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for one in collected:
            argv = one["argv"][1:]
            # Both would really do something; the parser of the program itself gets them from standard output.
            if {"demo", "init"} & set(argv):
                continue
            if "--config" in argv:
                argv = [*argv[: argv.index("--config")], *argv[argv.index("--config") + 2 :]]
            # Behind the parser, a configuration that does not exist ends every command that would do anything.
            options = [] if argv[0] == "help" else ["--config", f"{folder}/absent.yaml"]
            result = run(binary, *argv, *options, cwd=folder, timeout=60)
            asked += 1
            if "try '--help'" in result.stderr or "Usage: " in result.stderr:
                problems.append(f"{one['file']}:{one['line']}: {shlex.join(one['argv'])}\n{result.stderr}")
    built = datetime.datetime.fromtimestamp(binary.stat().st_mtime, datetime.timezone.utc)
    version = run(binary, "--version").stdout.strip()
    check(f"{asked} of these commands parse", f"{version}, built {built:%Y-%m-%d %H:%M} UTC, which may be older than src/", problems)
