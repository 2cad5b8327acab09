"""The declared architecture is that of the sources, and the documentation shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise

import pytest
from architecture import FORBIDDEN, MODULES, STEPS, Module, arrows, drawn, reached
from make_architecture import PAGE, PICTURE, boxes, place, tables
from routes import BOX_HEIGHT
from source_graph import sources, uses

NAMES = [module.name for module in MODULES]


def owners(file: str) -> list[str]:
    return [module.name for module in MODULES if module.has(file)]


def test_every_file_is_of_one_module() -> None:
    assert len({*NAMES}) == len(NAMES)
    assert {file: owners(file) for file in sources() if len(owners(file)) != 1} == {}


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_every_pattern_has_a_file(module: Module) -> None:
    for pattern in module.files.split():
        one = Module(module.name, module.area, module.purpose, pattern)
        assert any(map(one.has, sources())), pattern


def test_arrows_are_those_of_imports_and_includes() -> None:
    always, ever = set(), set()
    for use in uses():
        (user,), (used,) = owners(use.user), owners(use.used)
        if user != used:
            ever.add((user, used))
            if not use.on_demand:
                always.add((user, used))
    assert arrows(on_demand=False) == always
    assert arrows(on_demand=True) == ever - always


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_cycle(name: str) -> None:
    assert name not in reached(name, arrows())


def test_what_must_not_be_is_not() -> None:
    for never in FORBIDDEN:
        assert not never.arrows() & arrows(), never.why
        known = {*NAMES, *(module.area for module in MODULES)}
        assert {*never.users, *never.used} <= known


def test_steps_go_along_arrows() -> None:
    for step in STEPS:
        for start, end in step.ways:
            assert {(start, end), (end, start)} & arrows(), step.name


def test_what_is_drawn_tells_all_arrows() -> None:
    for name in NAMES:
        assert reached(name, drawn()) == reached(name, arrows())


def test_the_picture_has_the_modules_and_arrows() -> None:
    picture = PICTURE.read_text("utf-8")
    steps = {way: number for number, step in enumerate(STEPS, 1) for way in step.ways}
    wanted = {f"module:{name}" for name in NAMES}
    for start, end in drawn() | {*steps}:
        kind = "on-demand" if (start, end) in arrows(on_demand=True) else "uses"
        if (start, end) in steps:
            kind = f"step-{steps[start, end]}"
        wanted.add(f"{kind}:{start}:{end}")
    ids = re.findall(r'id="((?:module|uses|on-demand|step-\d+):[^"]*)"', picture)
    assert sorted(ids) == sorted(name.replace(" ", "-") for name in wanted)
    texts = " ".join(re.findall(r"<!-- (.*) -->", picture))
    assert all(f"{module.name} {module.purpose}" in texts for module in MODULES)
    assert all(step.name in texts for step in STEPS)


def test_no_arrow_of_the_picture_crosses_a_box() -> None:
    layout, routes = place()
    for way, points in routes.items():
        for (x0, y0), (x1, y1) in pairwise(points):
            for name, box in boxes().items():
                top = layout.top[box.row]
                inside = max(x0, x1) > box.left and min(x0, x1) < box.right
                inside &= max(y0, y1) > top and min(y0, y1) < top + BOX_HEIGHT
                assert not inside, (way, name)


def test_the_page_has_the_tables() -> None:
    assert tables() in PAGE.read_text("utf-8")


def test_the_package_imports_no_other_library_of_models_or_pictures() -> None:
    program = (
        "import sys, pyexpr\n"
        "print(*{'torch', 'onnx', 'sklearn', 'matplotlib'} & sys.modules.keys())\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == []
