"""What is handed out: the image, the release with its list of packages, and the page about it all."""

import json
import os
import pathlib
import re
import shutil
import tempfile
import tomllib

from common import CONTAINERFILE, KUBERNETES, OPERATIONS, PACKAGING, RELEASE, ROOT, TARGETS, check, files, package, run, said, short, told, tool


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
            path = (source.parent / name).resolve().relative_to(ROOT)
            needed |= {str(path)} if not {str(path), path.parts[0]} & copied else set()
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
        if not re.search(r"^\+ env CC_\w+=\S+ cargo build --profile dist --locked --target \S+-musl ", result.stdout, re.M):
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
