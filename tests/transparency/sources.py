"""Debian's source packages, fetched once, with sources of apt's own: the machine's configuration is not changed."""

import glob
import os
import re
import shutil
import subprocess

from one_run import Cannot


def source(store, package):
    """The unpacked tree of the version that is installed, or of the nearest that is still to be had."""
    folder = os.path.join(store, "sources", package)
    if not glob.glob(folder + "/*/debian"):
        _fetch(store, package, folder)
    (tree,) = (os.path.dirname(each) for each in glob.glob(folder + "/*/debian"))
    return tree


def _fetch(store, package, folder):
    options = _apt_options(store)
    _run(["apt-get", *options, "-qq", "update"], f"the list of Debian's source packages, for {package}")
    installed = subprocess.run(["dpkg-query", "-W", "-f", "${source:Version}", package + "-server" * (package == "redis")],
                               capture_output=True, text=True).stdout  # fmt: skip
    shown = _run(["apt-cache", *options, "showsrc", package], f"the versions of {package}")
    versions = re.findall(r"^Version: (.*)$", shown, re.MULTILINE)
    for version in sorted(versions, key=lambda each: each != installed):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        try:
            _run(["apt-get", *options, "-qq", "source", f"{package}={version}"], f"{package} {version}", folder)
        except Cannot as reason:
            print(reason, flush=True)
            continue
        if version != installed:
            print(f"    tests of {package} {version}, for {installed} is not to be had", flush=True)
        return
    shutil.rmtree(folder, ignore_errors=True)
    raise Cannot(f"no version of the source package {package} can be fetched")


def _apt_options(store):
    apt = os.path.join(store, "apt")
    parts, lists = os.path.join(apt, "parts"), os.path.join(apt, "lists")
    os.makedirs(parts, exist_ok=True)
    os.makedirs(lists + "/partial", exist_ok=True)
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*")]:
        if not path.endswith((".list", ".sources")) or not os.path.exists(path):
            continue
        with open(path) as file:
            text = file.read()
        if ".debian.org/" not in text:
            continue  # other people's repositories
        text = re.sub(r"^deb(?=[ \t])", "deb-src", re.sub(r"^deb-src.*$", "", text, flags=re.M), flags=re.M)
        text = re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.M)
        with open(os.path.join(parts, os.path.basename(path)), "w") as file:
            file.write(text)
    caches = [f"Dir::Cache::{name}={apt}/{name}.bin" for name in ("pkgcache", "srcpkgcache")]
    settings = ["Dir::Etc::sourcelist=/dev/null", f"Dir::Etc::sourceparts={parts}", f"Dir::State::lists={lists}",
                "APT::Sandbox::User=root", *caches]  # fmt: skip
    return [argument for setting in settings for argument in ("-o", setting)]


def _run(command, what, cwd=None):
    print(f"    fetching {what}", flush=True)
    run = subprocess.run(command, capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL)
    if run.returncode:
        raise Cannot(f"cannot fetch {what}: {run.stderr.strip().splitlines()[-1:] or run.returncode}")
    return run.stdout
