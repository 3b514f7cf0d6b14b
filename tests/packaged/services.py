"""What starts the program: Kubernetes, systemd, cron and Airflow."""

import datetime
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

from common import CRON, DAG, KUBERNETES, PACKAGING, check, package, run, said, short, told


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
