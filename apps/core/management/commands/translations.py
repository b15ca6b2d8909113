"""`manage.py translations collect|compile|check`: the catalogues in locale/, without GNU gettext."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polib
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import to_locale

from apps.core import catalogue

HEADER = {
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}
# Every tool that saves a catalogue must be given it: polib's own is another, and would wrap every entry anew.
WRAP_WIDTH = 100


class Command(BaseCommand):
    """Collect messages from the sources, compile catalogues for gettext, or check that nothing is untranslated."""

    help = "Collect, compile or check the translations in locale/."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["collect", "compile", "check"])

    def handle(self, *args: Any, **options: Any) -> None:
        paths = catalogue_files()
        if options["action"] == "compile":
            for path in paths:
                compile_catalogue(path)
            return
        try:
            messages = catalogue.collect(Path(settings.BASE_DIR))
        except catalogue.CatalogueError as error:
            raise CommandError(str(error)) from error
        if options["action"] == "collect":
            for path in paths:
                self._collect(path, messages)
        else:
            self._check(paths, messages)

    def _collect(self, path: Path, messages: dict[catalogue.Message, list[str]]) -> None:
        pofile = open_catalogue(path)
        catalogue.update(pofile, messages)
        path.parent.mkdir(parents=True, exist_ok=True)
        pofile.save(str(path))
        waiting = len(pofile.untranslated_entries()) + len(pofile.fuzzy_entries())
        self.stdout.write(f"{language_of(path)}: {len(messages)} messages, {waiting} to translate")

    def _check(self, paths: list[Path], messages: dict[catalogue.Message, list[str]]) -> None:
        found = {path: [*catalogue.problems(open_catalogue(path), messages), *_shape(path)] for path in paths}
        for path, lines in found.items():
            for line in lines:
                self.stdout.write(f"{language_of(path)}: {line}")
        if count := sum(map(len, found.values())):
            raise CommandError(f"{count} problems; run `make translations`, then translate in locale/")
        self.stdout.write(f"{len(messages)} messages, all translated")


def catalogue_files() -> list[Path]:
    """Return one catalogue per language other than the one the sources are written in, also where none exists yet."""
    folder = Path(settings.LOCALE_PATHS[0])
    languages = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
    return [folder / to_locale(code) / "LC_MESSAGES" / "django.po" for code in languages]


def _shape(path: Path) -> list[str]:
    """What is wrong with how a catalogue is written: `collect` would change lines in which nothing new stands."""
    if path.exists() and path.read_text(encoding="utf-8") != str(open_catalogue(path)):
        return [f"not wrapped at {WRAP_WIDTH} as `translations collect` writes it: run that"]
    return []


def language_of(path: Path) -> str:
    """Return the language folder a catalogue lies in."""
    return path.parent.parent.name


def open_catalogue(path: Path) -> polib.POFile:
    """Read a catalogue, or begin an empty one."""
    if path.exists():
        return polib.pofile(str(path), wrapwidth=WRAP_WIDTH)
    pofile = polib.POFile(wrapwidth=WRAP_WIDTH)
    pofile.metadata = {"Language": language_of(path), **HEADER}
    return pofile


def compile_catalogue(path: Path) -> None:
    """Write the .mo file that gettext reads beside the catalogue, unless it is newer; in one step, for live readers."""
    compiled = path.with_suffix(".mo")
    if not path.exists() or (compiled.exists() and compiled.stat().st_mtime >= path.stat().st_mtime):
        return
    draft = compiled.with_suffix(".mo.new")
    open_catalogue(path).save_as_mofile(str(draft))
    draft.replace(compiled)
