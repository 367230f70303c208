"""The commands: parse, build Settings, call one function, render. Everything heavy is imported when needed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from lambdacap import __version__
from lambdacap.cli import insight
from lambdacap.cli.access import access, tell
from lambdacap.cli.checks import checks
from lambdacap.cli.completion import PROGRAM, VARIABLE, Install, Show, completing, named
from lambdacap.cli.console import Console
from lambdacap.cli.demo import demo
from lambdacap.cli.eject import eject
from lambdacap.cli.help import BEGIN, DEPLOY, LOOK, MORE, STEPS, USE, Group, shown
from lambdacap.cli.init import init
from lambdacap.cli.invoke import invoke
from lambdacap.cli.listing import list_deployments
from lambdacap.cli.local import local
from lambdacap.cli.model import model
from lambdacap.cli.open import open_page
from lambdacap.cli.options import command, deploy_command, step_command
from lambdacap.cli.run import run as predict
from lambdacap.cli.serve import serve
from lambdacap.errors import LambdacapError, UsageError
from lambdacap.settings import Settings

if TYPE_CHECKING:
    from lambdacap.operations.deploy import Deployed

Configure = Callable[..., Settings]

app = typer.Typer(
    help="Put a deep-learning model on the internet as a serverless API.",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to import than all the rest of --help
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  $ lambdacap deploy --local\n\n`lambdacap COMMAND --help` says more of a command.",
)
app.add_typer(local, name="local", rich_help_panel=MORE)
app.add_typer(model, name="model", rich_help_panel=MORE)
app.add_typer(checks)
app.add_typer(access)


def run() -> int:
    """Run what was typed, and return the exit code. Raises `UsageError` for what cannot be read."""
    completing()
    try:
        code = app(named(sys.argv[1:]), prog_name=PROGRAM, standalone_mode=False, complete_var=VARIABLE)
    except typer.Abort as error:
        raise LambdacapError("it was not agreed to, so nothing was done") from error
    except Exception as error:
        # Typer's own: which class that is depends on its version.
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(f"{error.format_message()}\n")
            return 2
        context = getattr(error, "ctx", None)
        path = context.command_path if context else PROGRAM
        if context and "--json" not in sys.argv:
            sys.stderr.write(f"{context.get_usage()}\n")
        raise UsageError(error.format_message(), hint=f"`{path} --help` says what there is.") from error
    if code == 130:  # what Typer makes of Ctrl-C, without a word
        raise KeyboardInterrupt
    return int(code or 0)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"lambdacap {__version__}\n")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", is_eager=True, callback=_show_version)
    ] = False,
    show_completion: Show = None,
    install_completion: Install = None,
) -> None:
    pass


app.command(**shown(BEGIN, "lambdacap init my-model --template sound"))(init)
app.command("run", **shown(BEGIN, "lambdacap run examples/photo.jpg"))(predict)
app.command(**shown(BEGIN, "lambdacap serve"))(serve)
app.command(**shown(BEGIN, "lambdacap eject ../image"))(eject)


@app.command(**shown(DEPLOY, "lambdacap deploy --region eu-central-1 --auth key"))
@deploy_command
def deploy(
    configure: Configure,
    console: Console,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
) -> None:
    """Build, push, create: everything, up to the URL. Run again, it mends only what differs."""
    from lambdacap.cli.views import tables
    from lambdacap.operations import deploy as pipeline

    settings = configure()
    if dry_run:
        from lambdacap.insight import cost

        survey = pipeline.survey(settings, console.report)
        estimate = cost.estimate(survey)
        console.result(tables.plan_table(survey.changes, estimate), tables.plan_data(survey.changes, estimate))
        return
    deployed = pipeline.deploy(settings, console.report)
    tell(console, settings, deployed)
    console.note("deployed" if deployed.changed else "nothing to change: everything is as it should be")
    console.address(deployed.deployment.url or "", tables.deployed_data(deployed))


@app.command(**shown(STEPS, "lambdacap build"))
@step_command("build")
def build(configure: Configure, console: Console) -> None:
    """Build the Docker image; its tag is a hash of its content."""
    from lambdacap.cli.views import tables
    from lambdacap.operations.build import build as make

    built = make(configure(), console.report)
    data = {"image": built.name, "id": built.id, **tables.layers_data(built.layers)}
    console.result(tables.layers_table(built.name, built.layers), data)


@app.command(**shown(STEPS, "lambdacap push --region eu-central-1"))
@step_command("push")
def push(configure: Configure, console: Console) -> None:
    """Push the image to its ECR repository, made if needed; built if needed."""
    _step(configure(), console, "repository", "image")


@app.command(**shown(STEPS, "lambdacap create-function --memory 2048"))
@step_command("create-function")
def create_function(configure: Configure, console: Console) -> None:
    """Create the Lambda function from the pushed image, with its role and log group."""
    _step(configure(), console, "role", "log group", "concurrency", "function")


@app.command(**shown(STEPS, "lambdacap create-api --auth key"))
@step_command("create-api")
def create_api(configure: Configure, console: Console) -> None:
    """Create the API in front of the function: POST, GET, binary types, CORS, stage, permission, API key."""
    settings = configure()
    tell(console, settings, _step(settings, console, "usage plan", "api"))


app.command(**shown(USE, "lambdacap invoke photo.jpg"))(invoke)
app.command("open", **shown(USE, "lambdacap open"))(open_page)
app.command(**shown(USE, "lambdacap demo scene.jpg"))(demo)
app.command("list", **shown(LOOK, "lambdacap list"))(list_deployments)
app.command(**shown(LOOK, "lambdacap status"))(insight.status)
app.command(**shown(LOOK, "lambdacap logs --since 10m --errors"))(insight.logs)
app.command(**shown(LOOK, "lambdacap bench photo.jpg --memory 1024,1769,3008"))(insight.bench)


@app.command(**shown(DEPLOY, "lambdacap rollback"))
@command
def rollback(
    configure: Configure,
    console: Console,
    version: Annotated[
        int | None, typer.Argument(help="Which one. [default: the one that was live before]", metavar="VERSION", min=1)
    ] = None,
) -> None:
    """Go back to an earlier version of the function; without VERSION, to the one that was live before."""
    from lambdacap.operations.rollback import rollback as go_back

    there = go_back(configure(), console.report, None if version is None else str(version))
    number = there.resources["function"]["version"]
    console.result(f"version {number} is live", {"name": there.name, "version": number, "url": there.url})


@app.command(**shown(DEPLOY, "lambdacap teardown --dry-run"))
@command
def teardown(
    configure: Configure,
    console: Console,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    keep_image: Annotated[bool, typer.Option("--keep-image", help="Leave the repository with its images.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed, and do nothing.")] = False,
) -> None:
    """Remove everything that the deployment owns, and prove that nothing is left."""
    from lambdacap.cli.views import tables
    from lambdacap.errors import DeploymentError
    from lambdacap.operations.teardown import Standing, standing
    from lambdacap.operations.teardown import teardown as remove

    settings = configure()

    def agree(found: Standing) -> None:
        where = found.deployment
        if yes or where.target == "local":
            return
        words = f"{where.name!r} in {where.region} of account {where.account}"
        if not sys.stdin.isatty():
            raise DeploymentError(
                f"nobody can be asked here whether to remove {words}", hint="Say --yes to remove it without a question."
            )
        for kind, label in found.labels.items():
            console.note(f"{kind:<12} {label}")
        typer.confirm(f"Remove {words}?", abort=True, err=True)

    if dry_run:
        found = standing(settings, console.report, keep_image=keep_image)
        console.result(tables.standing_table(found), tables.standing_data(found))
        return
    removed = remove(settings, console.report, keep_image=keep_image, agree=agree)
    rest = ", but for its images" if keep_image else ""
    console.result(f"{removed.deployment.name} is gone{rest}", tables.standing_data(removed))


def _step(settings: Settings, console: Console, *kinds: str) -> Deployed:
    from lambdacap.cli.views import tables
    from lambdacap.operations import deploy as pipeline

    deployed = pipeline.deploy(settings, console.report, only=kinds)
    identity = deployed.deployment.resources[kinds[-1]]
    words = identity.get("url") or identity.get("uri") or identity["arn"]
    console.result(words, tables.deployed_data(deployed))
    return deployed
