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
        found = {path: catalogue.problems(open_catalogue(path), messages) for path in paths}
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


def language_of(path: Path) -> str:
    """Return the language folder a catalogue lies in."""
    return path.parent.parent.name


def open_catalogue(path: Path) -> polib.POFile:
    """Read a catalogue, or begin an empty one."""
    if path.exists():
        return polib.pofile(str(path), wrapwidth=100)
    pofile = polib.POFile(wrapwidth=100)
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
