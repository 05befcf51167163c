"""The one thing that pyproject.toml can't say: found packages, and one that is the root's files."""

from setuptools import find_namespace_packages, setup

setup(
    script_name="setup.py",  # so that it is no module of the package at the root
    packages=[*find_namespace_packages(include=["argot*"]), "argot.template"],
)
