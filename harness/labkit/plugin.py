"""pytest's side of grading: options, fixtures, and what becomes of each report.

Loaded by harness/conftest.py, or by name from grade.py. Under pytest-xdist the
controller builds, records and writes; the workers run the tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Generator, Iterator, NoReturn, Optional, Union

import pytest

from labkit.build import PROGRAMS
from labkit.capture import FEW, FEW_PACKETS, MANY
from labkit.feedback import (
    HarnessError, Mismatch, NotJudged, clean, clean_line, of_assertion, told,
)
from labkit.grading import (
    attach, exact_steps, graded_test, hosts_of, is_first, step_keyword, test_files,
)
from labkit.outputs.whole import write_whole
from labkit.results import ERROR, FAILED, PASSED, Result
from labkit.run import DEFAULT_OUT, SESSION, Run, Session, UsageProblem
from labkit.table import table
from labkit.tracer import Calls

_WORKER_KEY = "labkit_session"
_CONTROLLER = "labkit-controller"
"""What pytest calls the _Controller, which is a plugin of it."""


# -- Options -------------------------------------------------------------------


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("labkit", "grading")
    group.addoption("--submission", metavar="FOLDER", help="grade FOLDER, not labs/; needs --lab")
    group.addoption("--lab", action="append", metavar="LAB", dest="labkit_labs",
                    choices=sorted(PROGRAMS), help="which lab the tests are of")
    group.addoption("--out", metavar="FOLDER", dest="labkit_out", default=str(DEFAULT_OUT),
                    help="where results and traces go (%(default)s)")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: Any) -> None:
    config.addinivalue_line(
        "markers", "graded(step, points, programs, hosts, visibility): see labkit.grading.graded")
    config.addinivalue_line("markers", "no_calls(why): see labkit.grading.no_calls")
    config.addinivalue_line("markers", "many_packets: see labkit.grading.many_packets")
    config.addinivalue_line("markers", "first: see labkit.grading.first")
    config.addinivalue_line("markers", "takes(seconds): see labkit.grading.takes")
    config.addinivalue_line("markers", "because(why): see labkit.reasons.because")
    config.option.keyword = exact_steps(config.option.keyword)
    if hasattr(config, "workerinput"):
        text = config.workerinput.get(_WORKER_KEY)
        if text is not None:
            config.pluginmanager.register(Session.from_json(text), SESSION)
            config.pluginmanager.register(_Worker(config), "labkit-worker")
        return
    run = next((p for p in config.pluginmanager.get_plugins() if isinstance(p, Run)), None)
    if run is None:
        run = _run_of_options(config)
    if run is not None:
        config.pluginmanager.register(_Controller(config, run), _CONTROLLER)


def _run_of_options(config: Any) -> Optional[Run]:
    """The run that a plain pytest command asks for; None where it holds no graded test."""
    labs = config.option.labkit_labs or _labs_of(config)
    submission = config.option.submission
    if submission is not None and (len(labs) != 1 or not Path(submission).is_dir()):
        raise pytest.UsageError("--submission=FOLDER: a folder, and the one --lab=LAB it is of")
    if not labs or config.option.collectonly:
        return None
    return Run(labs, Path(submission).resolve() if submission else None,
               Path(config.option.labkit_out).resolve())


def _labs_of(config: Any) -> list[str]:
    """The labs whose tests are among the files that pytest was given."""
    given = [Path(arg.split("::")[0]).resolve() for arg in config.args]
    return [
        lab for lab in sorted(PROGRAMS)
        if any(path in (file, *file.parents) for file in test_files(lab) for path in given)
    ]


# -- Finding tests -------------------------------------------------------------


def pytest_itemcollected(item: pytest.Item) -> None:
    test = graded_test(item)
    if test is not None:
        item.extra_keyword_matches.add(step_keyword(test.step))
        item.user_properties.append(("graded", json.dumps(test.to_json())))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    """'-k NAME' with a test's whole name is that test, and none that only begins so.

    Before '-k' takes any away, an instructor's rules are held against them all.
    """
    controller = config.pluginmanager.get_plugin(_CONTROLLER)
    if controller is not None:
        controller.check_rules(items)
    name = config.option.keyword.strip()
    exact = [i for i in items if name and name in (i.name, getattr(i, "originalname", None))]
    if exact:
        config.hook.pytest_deselected(items=[item for item in items if item not in exact])
        items[:] = exact
        config.option.keyword = ""


# -- Fixtures ------------------------------------------------------------------


@pytest.fixture(scope="session")
def grading_session(request: pytest.FixtureRequest) -> Session:
    """The builds and folders of this run."""
    session = request.config.pluginmanager.get_plugin(SESSION)
    if not isinstance(session, Session):
        raise HarnessError("nothing was built: name the tests' file or folder, or --lab=LAB")
    return session


@pytest.fixture(scope="module")
def program_path(
    request: pytest.FixtureRequest, grading_session: Session
) -> Callable[[str], Path]:
    """Finds a program of the module's LAB by name; raises Mismatch when it was not built."""
    lab = getattr(request.module, "LAB")
    if lab not in grading_session.builds:
        raise HarnessError(f"{lab} was not built: --lab={lab} is missing")
    return grading_session.builds[lab].program


@pytest.fixture
def trace(request: pytest.FixtureRequest, grading_session: Session) -> Path:
    """Where this test's trace goes."""
    test = graded_test(request.node)
    if test is None:
        raise HarnessError(f"{request.node.name} is not marked as graded")
    path = grading_session.traces / test.trace_name
    attach(request.node, "trace", path)
    return path


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, program_path: Callable[[str], Path],
    grading_session: Session, trace: Path,
) -> Iterator[Any]:
    """A private network with the submission's programs, and a recording of it: a Scenario."""
    from labkit.scenario import Scenario

    mark = request.node.get_closest_marker("graded")
    silent = request.node.get_closest_marker("no_calls") is not None
    log = None if silent else trace.with_suffix(".calls")
    many = request.node.get_closest_marker("many_packets") is not None
    scenario = Scenario(grading_session.work, program_path, trace, hosts=hosts_of(mark.kwargs),
                        calls=log, buffer=MANY if many else FEW)
    test, first = graded_test(request.node), is_first(request.node)
    if test is not None and not first:
        scenario.never = grading_session.never.get(test.lab, {})
    try:
        yield scenario
    finally:
        scenario = request.node.funcargs.get("lab", scenario)  # see pytest_pyfunc_call
        try:
            if test is not None and first and request.node.stash.get(_MISSED, False):
                reached = scenario.reached(test.programs[0])
                if reached is not None:
                    attach(request.node, "reached", " ".join(sorted(reached)))
        finally:
            scenario.close()
        if log is not None:
            attach(request.node, "calls", log)
        if grading_session.reference and not many and (scenario.packets or 0) > FEW_PACKETS:
            raise HarnessError(f"{scenario.packets} packets: mark the test with @many_packets")
        if scenario.calls.problem is not None:
            attach(request.node, "no_calls", scenario.calls.problem)


def pytest_pyfunc_call(pyfuncitem: Any) -> Optional[bool]:
    """Runs a graded test; once more where it failed and the recording of calls may be why.

    A verdict rests on programs that nothing but the test disturbed.
    """
    lab = pyfuncitem.funcargs.get("lab")
    calls = getattr(lab, "calls", None)
    if not isinstance(calls, Calls) or graded_test(pyfuncitem) is None:
        return None

    def run() -> None:
        pyfuncitem.obj(**{name: pyfuncitem.funcargs[name]
                          for name in pyfuncitem._fixtureinfo.argnames})

    try:
        run()
    except AssertionError:
        if calls.log is None or not calls.interfered():
            raise
        lab.close()
        calls.log.unlink(missing_ok=True)
        pyfuncitem.funcargs["lab"] = lab.unrecorded()
        pyfuncitem.funcargs["lab"].never = lab.never
        run()
    return True


_MISSED = pytest.StashKey[bool]()
"""Of a test: the submission did not do what it asked for."""


# -- Reports -------------------------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    """Says of a graded test's report whose fault it is, and in what words."""
    outcome = yield
    report = outcome.get_result()
    test = graded_test(item)
    if test is None or (report.passed and report.when != "call"):
        return
    if report.passed:
        report.user_properties.append(("verdict", PASSED))
        return
    error = call.excinfo.value if call.excinfo is not None else None
    by_submission = isinstance(error, Mismatch) or (
        isinstance(error, AssertionError) and report.when == "call"
    )
    detail = ""
    item.stash[_MISSED] = by_submission
    if isinstance(error, AssertionError) and by_submission:
        judged = not isinstance(error, NotJudged)
        fault: Union[Mismatch, NotJudged] = error if isinstance(error, NotJudged) else _diagnosed(
            item, test.lab, of_assertion(error, test.title))
        parts = [*fault.parts(test.handout), *(_network_told(item) if judged else [])]
        text = told(parts)
        report.user_properties += [("cause", fault.cause), ("packets", fault.packets),
                                   ("parts", parts), ("judged", judged)]
    elif isinstance(error, HarnessError):
        text = f"not graded: {clean_line(str(error))}"
    elif report.skipped:
        text = "not graded: a graded test was skipped"
    else:
        text = f"not graded: the grader failed: {clean_line(f'{type(error).__name__}: {error}')}"
        detail = clean(str(report.longrepr), 20_000)
    report.user_properties += [("verdict", FAILED if by_submission else ERROR),
                               ("feedback", text), ("detail", detail)]
    if not report.skipped and not item.config.option.fulltrace:
        report.longrepr = detail or text


def _diagnosed(item: Any, lab: str, mismatch: Mismatch) -> Mismatch:
    """MISMATCH with the cause that the evidence shows, as long as there is evidence."""
    from labkit.diagnosis import diagnosed
    from labkit.scenario import Scenario

    scenario = item.funcargs.get("lab")
    return diagnosed(scenario, lab, mismatch) if isinstance(scenario, Scenario) else mismatch


def _network_told(item: Any) -> list[tuple[str, str]]:
    """One more part of feedback: what the test did to the network, if it did."""
    rules = getattr(item.funcargs.get("lab"), "rules", ())
    return [("network", f"{'; '.join(rules)} (docs/bad-network.md)")] if rules else []


class _Worker:
    """A worker of pytest-xdist tells the controller which tests there are."""

    def __init__(self, config: Any) -> None:
        self._session: Session = config.pluginmanager.get_plugin(SESSION)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        tests = [test.to_json() for test in map(graded_test, session.items) if test is not None]
        write_whole(self._session.items_file, json.dumps(tests))


class _Controller:
    """The process that was started: it builds before the tests and sums up after them."""

    def __init__(self, config: Any, run: Run) -> None:
        self._config = config
        self._run = run
        self._own = run.session is None
        """Nobody else prints the table and ends the run."""
        self._results: list[Result] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if self._own:
            try:
                self._run.open()
            except (HarnessError, UsageProblem) as problem:
                self._run.close()
                _stop(problem)
        self._config.pluginmanager.register(self._run.session, SESSION)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_WORKER_KEY] = self._run.session.to_json() if self._run.session else None

    def check_rules(self, items: list[pytest.Item]) -> None:
        """ITEMS: all that were collected. Raises pytest.UsageError."""
        try:
            self._run.check_rules([test for test in map(graded_test, items) if test is not None])
        except UsageProblem as problem:
            raise pytest.UsageError(str(problem)) from None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._run.expect([test for test in map(graded_test, session.items) if test is not None])

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._run.record(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if not self._own or exitstatus == pytest.ExitCode.INTERRUPTED:
            return
        try:
            self._results = self._run.finish()
        except HarnessError as error:
            self._run.problem = str(error)
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._results:
            terminalreporter.section("grade")
            terminalreporter.write(table(self._results, self._run.out, Path.cwd()))
        for problem in self._run.problems_beside_grade if self._own else ():
            terminalreporter.write_line(clean_line(problem))
        if self._own and self._run.problem:
            terminalreporter.section("not graded")
            terminalreporter.write_line(self._run.problem)

    def pytest_unconfigure(self) -> None:
        if self._own:
            self._run.close()


def _stop(problem: Exception) -> NoReturn:
    """Ends pytest with one line."""
    status = 4 if isinstance(problem, UsageProblem) else 3
    pytest.exit(clean_line(str(problem)), returncode=status)
