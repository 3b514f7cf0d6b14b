"""Checks packaging/ and docs/operations.md: what can be checked without building the program.

Usage: check_packaging.py [--commands] [--binary FILE] [--airflow-python FILE]

Standard output is a JSON line for each `kustlake ...` command in these files: {"file", "line", "argv"}, for whoever has the
program's own parser. Standard error tells what was checked by which tool, and what could not be. It ends with 1 if
anything failed. It compiles nothing.

--commands        only collect the commands; needs nothing but the standard library
--binary FILE     also let this kustlake parse the commands; by default target/release/kustlake, if it is there
--airflow-python FILE   also load the DAGs, with this Python, which has Airflow

The tools of tests/packaging.txt are looked for beside the Python that runs this, then in PATH.
"""

import argparse
import ast
import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
OPERATIONS = ROOT / "docs" / "operations.md"
TARGETS = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]
CRON = PACKAGING / "cron" / "kustlake.cron"
DAG = PACKAGING / "airflow" / "kustlake_dag.py"
KUBERNETES = PACKAGING / "kubernetes" / "cronjob.yaml"
CONTAINERFILE = PACKAGING / "Containerfile"
RELEASE = PACKAGING / "release"

counts = {"ok": 0, "FAILED": 0, "not checked": 0}


def told(verdict, what, tool):
    """Tells what was checked, and by what."""
    counts[verdict] += 1
    print(f"{verdict:<11}  {what}  [{tool}]", file=sys.stderr)


def check(what, tool, problems):
    """Tells of a check and of each problem that it found."""
    problems = [str(problem).strip() for problem in problems]
    told("FAILED" if problems else "ok", what, tool)
    for problem in problems:
        print("             " + problem.replace("\n", "\n             "), file=sys.stderr)


def tool(name):
    """A program beside this Python, or in PATH."""
    beside = pathlib.Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def run(*command, **options):
    """Runs a program and keeps what it says."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def said(result):
    """What a program said, if it failed."""
    return [] if result.returncode == 0 else [f"exit code {result.returncode}\n{result.stdout}{result.stderr}"]


def package(name):
    """A package with its version, or nothing if it is not installed."""
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return None


def short(path):
    """The path as the repository has it."""
    return str(path.relative_to(ROOT))


def files():
    """Every file that was checked in, in the order of names."""
    found = [path for path in PACKAGING.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [*sorted(found), OPERATIONS]


# The commands -----------------------------------------------------------------------------------------------------------


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


# Each part --------------------------------------------------------------------------------------------------------------


def check_kubernetes(binary):
    """The manifest, by the schemas of Kubernetes and by what it is for."""
    if not package("PyYAML"):
        told("not checked", short(KUBERNETES), "PyYAML is not installed")
        return
    import yaml

    documents = list(yaml.safe_load_all(KUBERNETES.read_text()))
    check(f"{short(KUBERNETES)} is YAML, {len(documents)} documents", package("PyYAML"), [])
    if package("kubernetes-validate"):
        import kubernetes_validate

        version, problems = kubernetes_validate.latest_version(), []
        for document in documents:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except Exception as error:  # each of its exceptions tells of a document that does not fit
                problems.append(f"{document['kind']}: {error}")
        check(f"each document fits the schema of Kubernetes {version}, without a field too many", package("kubernetes-validate"), problems)
    else:
        told("not checked", "the schemas of Kubernetes", "kubernetes-validate is not installed")

    problems = []

    def expect(what, is_so):
        if not is_so:
            problems.append(what)

    jobs = [document for document in documents if document["kind"] == "CronJob"]
    expect("two CronJobs", len(jobs) == 2)
    (configuration,) = [document for document in documents if document["kind"] == "ConfigMap"]
    expect("no Secret with values", not [document for document in documents if document["kind"] == "Secret"])
    for job in jobs:
        name, spec = job["metadata"]["name"], job["spec"]
        template = spec["jobTemplate"]["spec"]
        pod = template["template"]["spec"]
        (container,) = pod["containers"]
        resources, security = container["resources"], container["securityContext"]
        expect(f"{name}: concurrencyPolicy Forbid", spec["concurrencyPolicy"] == "Forbid")
        expect(f"{name}: backoffLimit 0", template["backoffLimit"] == 0)
        expect(f"{name}: restartPolicy Never, which podFailurePolicy needs", pod["restartPolicy"] == "Never")
        expect(f"{name}: time for the end in order", pod["terminationGracePeriodSeconds"] >= 30)
        expect(f"{name}: memory", (resources["requests"]["memory"], resources["limits"]["memory"]) == ("256Mi", "384Mi"))
        expect(f"{name}: not root", pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0)
        expect(f"{name}: read-only", security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"])
        expect(f"{name}: no capabilities", security["capabilities"] == {"drop": ["ALL"]})
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        volume = {volume["name"]: volume["configMap"]["name"] for volume in pod["volumes"]}
        expect(f"{name}: the ConfigMap is mounted", volume.get("config") == configuration["metadata"]["name"])
        path = container["args"][container["args"].index("--config") + 1]
        expect(f"{name}: --config names a file of the ConfigMap", path.removeprefix(mounts["config"] + "/") in configuration["data"])
        rules = template["podFailurePolicy"]["rules"]
        ignored = [rule for rule in rules if rule["action"] == "Ignore"]
        expect(f"{name}: only a disruption repeats a pod", ["onPodConditions"] == [k for r in ignored for k in r if k != "action"])
        codes = {code for rule in rules for code in rule.get("onExitCodes", {}).get("values", [])}
        # The source is not asked by `maintain`, so that it never ends with 3.
        wanted = {1, 2, 4, 5, 6, 137, 143} | ({3} if "run" in container["args"] else set())
        expect(f"{name}: exit codes {sorted(wanted)} are told apart, not {sorted(codes)}", codes == wanted)
    check("the CronJobs have what they are for: one at a time, no repetition, limits, no rights", "own", problems)

    if binary is None or not binary.exists():
        told("not checked", "that the program reads the configuration of the ConfigMap", "no kustlake")
        return
    with tempfile.TemporaryDirectory() as folder:
        text = re.sub(r"url: s3://\S+", f"url: {folder}/lake", configuration["data"]["pipelines.yaml"])
        file = pathlib.Path(folder, "pipelines.yaml")
        file.write_text(text)
        result = run(binary, "--config", file, "maintain", "--dry-run", cwd=folder, timeout=60)
        check("the program reads the configuration of the ConfigMap", "kustlake maintain --dry-run, into an empty folder", said(result))


def check_systemd():
    """The units, by systemd itself."""
    units = sorted((PACKAGING / "systemd").iterdir())
    problems = []
    for unit in units:
        text = unit.read_text()
        if unit.suffix == ".service":
            for line in ("Type=oneshot", "NoNewPrivileges=yes", "ProtectSystem=strict", "EnvironmentFile=/etc/kustlake/environment"):
                if f"\n{line}\n" not in text:
                    problems.append(f"{unit.name}: no {line}")
            codes = re.search(r"^SuccessExitStatus=(.*)$", text, re.M)
            if codes is None or "143" not in codes[1].split():
                problems.append(f"{unit.name}: a stop counts as a failure")
            if "ProcSubset=pid" in re.sub(r"#.*", "", text):
                problems.append(f"{unit.name}: the lease could not name the boot of the machine")
        elif not unit.with_suffix(".service").exists():
            problems.append(f"{unit.name}: no service of that name")
    check(f"{len(units)} units have what they are for", "own", problems)
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        told("not checked", "the units", "no systemd-analyze on this machine")
        return
    version = run(systemd, "--version").stdout.splitlines()[0]
    with tempfile.TemporaryDirectory() as folder:
        copies = []
        for unit in units:
            copy = pathlib.Path(folder, unit.name)
            # It looks whether the program is there, which it need not be on this machine.
            copy.write_text(unit.read_text().replace("/usr/local/bin/kustlake", "/bin/true"))
            copies.append(copy)
        result = run(systemd, "verify", *copies)
        ours = [line for line in (result.stdout + result.stderr).splitlines() if "kustlake" in line or folder in line]
        problems = ours or said(result)
        check("the units are valid (the program's path replaced by /bin/true)", f"systemd-analyze verify, {version}", problems)
        services = [copy for copy in copies if copy.suffix == ".service"]
        for service in services:
            result = run(systemd, "security", "--offline=true", "--threshold=20", "--no-pager", service)
            if "Unknown" in result.stderr or "unrecognized" in result.stderr:
                told("not checked", f"exposure of {service.name}", f"this systemd-analyze cannot do it offline, {version}")
                continue
            level = re.search(r"exposure level for .*?: (.*?) ", result.stdout)
            check(f"exposure of {service.name} is {level[1] if level else '?'}, at most 2.0", f"systemd-analyze security, {version}", said(result))
    for unit in units:
        for expression in re.findall(r"^OnCalendar=(.*)$", unit.read_text(), re.M):
            check(f"{unit.name}: {expression} is a time", f"systemd-analyze calendar, {version}", said(run(systemd, "calendar", expression)))


def schedules():
    """Every five-field expression, with its place."""
    for number, line in enumerate(CRON.read_text().splitlines(), 1):
        if re.match(r"[\d*]", line):
            yield f"{short(CRON)}:{number}", " ".join(line.split()[:5])
    for path in (KUBERNETES, DAG):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if found := re.search(r"schedule[:=] ?\"([^\"]+)\"", line):
                yield f"{short(path)}:{number}", found[1]


def check_schedules():
    """That times are times."""
    found = list(schedules())
    if package("cronsim"):
        import cronsim

        problems = []
        for place, expression in found:
            try:
                next(cronsim.CronSim(expression, datetime.datetime(2024, 1, 1)))
            except cronsim.CronSimError as error:
                problems.append(f"{place}: {expression}: {error}")
        check(f"{len(found)} schedules are schedules", package("cronsim"), problems)
    else:
        told("not checked", f"{len(found)} schedules", "cronsim is not installed")


def check_cron():
    """Runs the lines of the cron table with a program that only ends with a code, and sees which codes make a mail."""
    lines = [line.split(None, 6) for line in CRON.read_text().splitlines() if re.match(r"[\d*]", line)]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        for part in ("var/lib/kustlake", "var/log/kustlake", "etc/kustlake", "bin"):
            (base / part).mkdir(parents=True)
        (base / "etc/kustlake/environment").write_text("KUSTOMER_API_KEY='invented key'\n")
        stub = base / "bin/kustlake"
        stub.write_text('#!/bin/sh\necho "$@"\necho "$KUSTOMER_API_KEY" >&2\nexit "$CODE"\n')
        stub.chmod(0o755)
        for line in lines:
            if line[5] != "kustlake":
                problems.append(f"runs as {line[5]}")
            if "%" in line[6]:
                problems.append("cron takes a percent sign for the end of the line")
            for code in (0, 1, 2, 3, 4, 5, 6, 143):
                command = re.sub(r"/(var|etc)/", rf"{folder}/\1/", line[6])
                environment = {"PATH": f"{base}/bin:/usr/bin:/bin", "CODE": str(code)}
                result = run("/bin/sh", "-c", command, env=environment)
                is_mailed = bool(result.stdout + result.stderr)
                if is_mailed != (code in (1, 2, 3, 5, 6)):
                    problems.append(f"exit code {code}: mailed {result.stdout}{result.stderr!r}")
        logs = (base / "var/log/kustlake/run.log").read_text()
        if "invented key" not in logs:
            problems.append("the key does not reach the program")
    if not re.search(r"^MAILTO=\S+@example\.com$", CRON.read_text(), re.M):
        problems.append("no MAILTO")
    check(f"{len(lines)} lines of {short(CRON)} mail for exit codes 1, 2, 3, 5 and 6, not for 0, 4 and 143", "/bin/sh with a stand-in for the program", problems)


LOAD_DAGS = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("kustlake_dag", sys.argv[1])
module = importlib.util.module_from_spec(spec)
seen = []
from airflow.sdk import DAG
begin = DAG.__enter__
DAG.__enter__ = lambda self: seen.append(self) or begin(self)
spec.loader.exec_module(module)
import airflow
tasks = [(dag.dag_id, task.task_id, task.retries, list(task.skip_on_exit_code), task.bash_command) for dag in seen for task in dag.tasks]
json.dump([airflow.__version__, tasks, [[dag.catchup, dag.max_active_runs] for dag in seen]], sys.stdout)
"""


def check_airflow(python):
    """The DAGs: compiled, and loaded where there is an Airflow."""
    problems = []
    try:
        # Not py_compile, which would leave a file behind; it is the same compiler.
        compile(DAG.read_text(), str(DAG), "exec", dont_inherit=True)
    except SyntaxError as error:
        problems.append(error)
    if "skip_on_exit_code=ANOTHER_RUN_IS_ACTIVE" not in DAG.read_text():
        problems.append("exit code 4 is not skipped")
    check(f"{short(DAG)} compiles", f"Python {sys.version.split()[0]}", problems)
    if python is None:
        told("not checked", f"that an Airflow loads {short(DAG)}", "no --airflow-python")
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "AIRFLOW_HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        result = run(python, "-c", LOAD_DAGS, DAG, env=environment)
    problems, version = said(result), "Airflow"
    if not problems:
        version, tasks, dags = json.loads(result.stdout[result.stdout.index("[") :].splitlines()[-1])
        expected = {("kustlake_run", "run", 0, (4,)), ("kustlake_maintain", "maintain", 0, (4,))}
        if {(dag, task, retries, tuple(skipped)) for dag, task, retries, skipped, _ in tasks} != expected:
            problems.append(tasks)
        if any(dag != [False, 1] for dag in dags):
            problems.append(f"catchup and runs at once: {dags}")
    check("both DAGs load; no retries, exit code 4 skips, one run at a time, no catching up", f"Airflow {version}", problems)


def check_containerfile():
    """The Containerfile: by hadolint, and against the source it copies."""
    hadolint = tool("hadolint")
    if hadolint:
        version = run(hadolint, "--version").stdout.strip()
        check(f"{short(CONTAINERFILE)} has no findings", version, said(run(hadolint, "--no-color", CONTAINERFILE)))
    else:
        told("not checked", f"{short(CONTAINERFILE)} by hadolint", "hadolint is not installed")
    text, problems = CONTAINERFILE.read_text(), []
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    if f"rust:{toolchain}-" not in text or f"RUSTUP_TOOLCHAIN={toolchain}\n" not in text:
        problems.append(f"not the toolchain of rust-toolchain.toml, {toolchain}")
    copied = set()
    for line in re.findall(r"^COPY (?!--)(.*)$", text, re.M):
        copied.update(line.split()[:-1])
    problems += [f"COPY {name}: no such file" for name in sorted(copied) if not (ROOT / name).exists()]
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    needed = {"Cargo.toml", "Cargo.lock", ".cargo", "src", "schemas", "build.rs", *manifest["workspace"]["members"]} - {"."}
    needed |= {"benches"} if manifest.get("bench") else set()
    # Files that become part of the program, tests left out.
    for source in (ROOT / "src").rglob("*.rs"):
        program = source.read_text().split("#[cfg(test)]\nmod ")[0]
        for name in re.findall(r"include_(?:str|bytes)!\(\"([^\"]+)\"\)", program):
            needed.add((source.parent / name).resolve().relative_to(ROOT).parts[0])
    problems += [f"{name} is needed to build and not copied" for name in sorted(needed - copied)]
    admitted = {line[1:] for line in (PACKAGING / ".containerignore").read_text().splitlines() if line.startswith("!")}
    problems += [f".containerignore keeps out {name}, which is copied" for name in sorted(copied - admitted)]
    if not re.search(r"^FROM scratch$", text, re.M) or not re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.M):
        problems.append("the last stage is not empty, or root's")
    if re.search(r"KUSTOMER_API_KEY|AWS_", text):
        problems.append("a secret has no place in an image")
    version = manifest["workspace"]["package"]["version"]
    for path in (CONTAINERFILE, KUBERNETES):
        wrong = [found for found in re.findall(r"kustlake:([\d.]+\d)|^ARG VERSION=(.*)$", path.read_text(), re.M) if version not in found]
        problems += [f"{short(path)}: version {found}, not {version}" for found in wrong]
    check(f"{short(CONTAINERFILE)} copies what the build needs, with the toolchain of the source", "own", problems)
    told("not checked", "that the image builds and starts", "no image is built here")


def used_packages(target):
    """What becomes part of the program or builds it, by cargo's own tree."""
    command = ["cargo", "tree", "--offline", "--locked", "--package", "kustlake", "--edges", "normal,build", "--target", target]
    result = run(*command, "--prefix", "none", "--no-dedupe", "--format", "{p}", cwd=ROOT)
    if result.returncode:
        raise RuntimeError(result.stderr)
    return {tuple(line.split()[:2]) for line in result.stdout.splitlines() if line}


def check_release(binary):
    """The script: by bash and shellcheck, and its SBOM against Cargo.lock and cargo's tree."""
    bash = run("bash", "--version").stdout.splitlines()[0]
    check(f"{short(RELEASE)} parses", bash, said(run("bash", "-n", RELEASE)))
    shellcheck = tool("shellcheck")
    if shellcheck:
        version = re.search(r"version: (.*)", run(shellcheck, "--version").stdout)[1]
        check(f"{short(RELEASE)} has no findings", f"shellcheck {version}", said(run(shellcheck, RELEASE)))
    else:
        told("not checked", f"{short(RELEASE)} by shellcheck", "shellcheck is not installed")
    if shutil.which("cargo") is None:
        told("not checked", "the SBOM", "no cargo")
        return
    cargo = run("cargo", "--version").stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        result = run(RELEASE, "--dry-run", "--out", f"{folder}/dry")
        problems = said(result)
        if pathlib.Path(folder, "dry").exists():
            problems.append("it made a folder")
        if not re.search(r"^\+ env CC_\w+=\S+ cargo build --release --locked --target \S+-musl ", result.stdout, re.M):
            problems.append(f"it does not tell the build: {result.stdout}")
        check(f"{short(RELEASE)} --dry-run tells the build and changes nothing", "bash", problems)
        for target in TARGETS:
            check_sbom(target, pathlib.Path(folder), cargo, binary)
    told("not checked", "that the binaries build, are static and are the same each time", "nothing is compiled here")


PLACE = rb"/registry/src/[^/]+/([A-Za-z0-9_-]+?)-(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/"


def check_sbom(target, folder, cargo, binary):
    """One SBOM: made twice, and compared."""
    made = {}
    plain = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    for name, environment in {"first": plain, "second": plain, "dated": {**plain, "SOURCE_DATE_EPOCH": "1704067200"}}.items():
        out = folder / f"{target}-{name}"
        result = run(RELEASE, "--sbom-only", "--target", target, "--out", out, env=environment)
        if result.returncode:
            check(f"SBOM for {target}", cargo, said(result))
            return
        (file,) = out.glob("*.cdx.json")
        made[name] = file.read_text()
        sums = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=out)
        if sums.returncode:
            check("SHA256SUMS", "sha256sum", said(sums))
    problems = []
    if made["first"] != made["second"]:
        problems.append("two runs differ")
    if "timestamp" in json.loads(made["first"])["metadata"]:
        problems.append("a time without SOURCE_DATE_EPOCH")
    if json.loads(made["dated"])["metadata"].get("timestamp") != "2024-01-01T00:00:00Z":
        problems.append("SOURCE_DATE_EPOCH is not the time")
    if str(ROOT) in made["first"]:
        problems.append("it names a folder of this machine")
    check(f"SBOM for {target}: the same bytes each time, no time but SOURCE_DATE_EPOCH; SHA256SUMS right", "own, sha256sum", problems)

    bom = json.loads(made["first"])
    components = {(one["name"], one["version"]): one for one in [*bom["components"], bom["metadata"]["component"]]}
    used = {(name, version.removeprefix("v")) for name, version in used_packages(target)}
    locked = {(one["name"], one["version"]): one.get("checksum") for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    problems = [f"{name} {version} is used and not listed" for name, version in sorted(used - components.keys())]
    problems += [f"{name} {version} is listed and not used" for name, version in sorted(components.keys() - used)]
    problems += [f"{name} {version} is listed and not in Cargo.lock" for name, version in sorted(components.keys() - locked.keys())]
    for key, one in components.items():
        hashes = [told["content"] for told in one.get("hashes", [])]
        if hashes != ([locked[key]] if locked.get(key) else []):
            problems.append(f"{key}: {hashes}, and Cargo.lock has {locked.get(key)}")
    what = f"SBOM for {target}: the {len(used)} packages that cargo tree has and no other, with the checksums of Cargo.lock"
    check(what, f"cargo tree, {cargo}", problems)
    if binary is None or not binary.exists():
        told("not checked", "the SBOM against a program that was built", "no kustlake")
    else:
        # Messages of a program name the source files that they come from, so a witness that is not cargo.
        content = binary.read_bytes()
        seen = {(name.decode(), version.decode()) for name, version in re.findall(PLACE, content)}
        problems = [f"{name} {version} is in it and not listed" for name, version in sorted(seen - components.keys())]
        required = {key for key, one in components.items() if one.get("scope") != "excluded"}
        problems += [f"{name} {version} is in it and listed as excluded" for name, version in sorted(seen & components.keys() - required)]
        check(f"SBOM for {target}: lists the {len(seen)} packages whose sources a built program names", "own, " + binary.name, problems)
    if package("cyclonedx-python-lib"):
        try:
            from cyclonedx.schema import SchemaVersion
            from cyclonedx.validation.json import JsonStrictValidator

            error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made["dated"])
            check(f"SBOM for {target} fits the schema of CycloneDX 1.6", package("cyclonedx-python-lib"), [error] if error else [])
        except ImportError as error:
            told("not checked", "the schema of CycloneDX", str(error))
    else:
        told("not checked", "the schema of CycloneDX", "cyclonedx-python-lib is not installed")


def anchors(path):
    """The anchors of a page's headings, as its readers make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_page():
    """The page against the source that it tells of."""
    text, problems = OPERATIONS.read_text(), []
    for link in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        path = (OPERATIONS.parent / name).resolve() if name else OPERATIONS
        if not path.exists():
            problems.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(path):
            problems.append(f"{link}: no such heading")
    check("links of docs/operations.md lead somewhere", "own", problems)
    exits = set(re.findall(r"^    \w+ = (\d+),$", (ROOT / "src/run/exit.rs").read_text(), re.M))
    page = re.findall(r"^\| ([\d, ]+) \|", text[text.index("## Exit codes") :], re.M)
    page = {code for row in page for code in row.split(", ")}
    check("its exit codes are those of src/run/exit.rs", "own", [f"{sorted(exits ^ page)}"] if exits != page else [])
    state = re.search(r"const VERSION: u64 = (\d+);", (ROOT / "src/lake/state.rs").read_text())[1]
    lease = re.search(r"^            version: (\d+),$", (ROOT / "src/lake/lease.rs").read_text(), re.M)[1]
    problems = [] if f"`_kustlake/state.json` | {state} |" in text else [f"the state file has version {state}"]
    problems += [] if f"`_kustlake/lease.json` | {lease} |" in text else [f"the lease has version {lease}"]
    check("its versions of stored formats are those of src/lake/", "own", problems)


def check_secrets():
    """No file holds what looks like a secret."""
    problems = []
    for path in files():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for value in re.findall(r"(?:KUSTOMER_API_KEY|KUSTLAKE_HASH_KEY|AWS_(?:SECRET|ACCESS|SESSION)\w+)[\"']?\s*[=:]\s*[\"']?([\w./+-]{8,})", line):
                problems.append(f"{short(path)}:{number}: {value}")
            if re.search(r"AKIA[0-9A-Z]{12,}|eyJ[\w-]{20,}|-----BEGIN", line):
                problems.append(f"{short(path)}:{number}")
    check("no file holds a key", "own", problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", action="store_true")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "release" / "kustlake")
    parser.add_argument("--airflow-python", type=pathlib.Path)
    asked = parser.parse_args()
    collected = list(commands())
    for one in collected:
        print(json.dumps(one))
    if asked.commands:
        return 0
    sys.stdout.flush()
    check_commands(collected, asked.binary)
    check_kubernetes(asked.binary)
    check_systemd()
    check_schedules()
    check_cron()
    check_airflow(asked.airflow_python)
    check_containerfile()
    check_release(asked.binary)
    check_page()
    check_secrets()
    print(f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['not checked']} skipped", file=sys.stderr)
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
